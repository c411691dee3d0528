-- data: stats
SELECT count(*)
FROM postlinks l JOIN posts q ON q.id = l.relatedpostid JOIN votes v ON v.postid = q.id JOIN comments c ON c.userid = q.owneruserid
WHERE l.linktypeid = 3 AND q.answercount > 2 AND q.favoritecount > 5 AND v.votetypeid = 2;
