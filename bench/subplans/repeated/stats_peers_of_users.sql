-- data: stats
-- Users with the number of reputed users who voted as often.
SELECT u.id, (SELECT count(*) FROM users o WHERE o.upvotes = u.upvotes AND o.reputation > 100) AS peers
FROM users u WHERE u.reputation IN (103, 109, 111, 115) ORDER BY u.id;
