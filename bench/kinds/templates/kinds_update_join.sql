-- data: kinds
-- param topic: SELECT g * 5 FROM generate_series(1, 39) g
UPDATE review v SET stars = 6 - stars FROM loan l JOIN book b ON b.id = l.book_id WHERE l.id = v.loan_id AND b.topic >= :topic::int;
