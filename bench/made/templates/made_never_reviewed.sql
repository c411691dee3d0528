-- data: made
-- param days: SELECT g FROM generate_series(2, 40) g
SELECT count(*) FROM loan l WHERE l.days >= :days::int / 4 AND NOT EXISTS (SELECT 1 FROM review v WHERE v.loan_id = l.id);
