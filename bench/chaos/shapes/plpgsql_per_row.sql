SELECT c.id, count_by_loop(c.id % 37) FROM c JOIN b ON b.c_id = c.id WHERE b.id < 12
