SELECT b.id, c.label, a.id FROM c JOIN a ON a.grp = c.id RIGHT JOIN b ON b.id = a.b_id WHERE b.kind < 5
