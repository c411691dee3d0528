SELECT * FROM (SELECT a.id, a.grp, row_number() OVER (PARTITION BY a.grp ORDER BY a.n DESC, a.id) AS place
  FROM a JOIN b ON b.id = a.b_id) x JOIN c ON c.id = x.grp WHERE x.place <= 3
