-- data: kinds
-- param since: SELECT taken FROM (SELECT taken, row_number() OVER (ORDER BY taken) AS n FROM loan) s WHERE n % 30000 = 1
SELECT date_trunc('week', taken) AS week, count(*), sum(fee) FROM loan_part WHERE taken >= :since::timestamp GROUP BY 1 ORDER BY 1;
