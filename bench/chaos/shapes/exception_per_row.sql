SELECT c.id, safe_share(c.id % 37), count(*) FROM c JOIN b ON b.c_id = c.id WHERE c.id < 12 GROUP BY c.id
