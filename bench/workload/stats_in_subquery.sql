-- data: stats
-- param count: SELECT DISTINCT count FROM (SELECT count, row_number() OVER (ORDER BY count) AS n, count(*) OVER () AS c FROM tags WHERE count IS NOT NULL) s WHERE n % (c / 150) = 0 ORDER BY 1
SELECT count(*), sum(v.bountyamount) FROM votes v WHERE v.postid IN (SELECT excerptpostid FROM tags WHERE count >= :count::int UNION SELECT postid FROM postlinks WHERE linktypeid = 1);
