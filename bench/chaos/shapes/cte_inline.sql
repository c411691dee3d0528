WITH x AS (SELECT * FROM a WHERE grp < 20) SELECT b.kind, count(*) FROM x JOIN b ON b.id = x.b_id GROUP BY 1
