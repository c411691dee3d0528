-- data: stats
-- Views, score, answers and favourites of a post rise together.
SELECT count(*), sum(v.votetypeid)
FROM posts p JOIN votes v ON v.postid = p.id JOIN posthistory h ON h.postid = p.id JOIN comments c ON c.postid = p.id
WHERE p.viewcount > 5000 AND p.score > 20 AND p.favoritecount > 10 AND p.answercount > 5;
