SELECT a.id, b.id, a.t FROM a FULL JOIN b ON b.id = a.b_id AND b.kind = a.grp % 9
