-- data: stats
SELECT count(*) FROM posts p WHERE p.score < -100 OR NOT EXISTS (SELECT 1 FROM votes v WHERE v.postid = p.id AND v.votetypeid >= p.posttypeid);
