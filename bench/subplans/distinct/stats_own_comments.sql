-- data: stats
SELECT count(*) FROM posts p WHERE p.owneruserid = ANY (SELECT c.userid FROM comments c WHERE c.postid = p.id) OR p.score < -100;
