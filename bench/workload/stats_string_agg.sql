-- data: stats
-- param since: SELECT date FROM (SELECT date, row_number() OVER (ORDER BY date) AS n, count(*) OVER () AS c FROM badges) s WHERE n % (c / 150) = 0 ORDER BY n
SELECT userid, string_agg(id::text, ',' ORDER BY date) FROM badges WHERE date >= :since::timestamp GROUP BY userid ORDER BY length(string_agg(id::text, ',' ORDER BY date)) DESC LIMIT 10;
