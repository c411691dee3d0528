SELECT count(*) FROM a JOIN b ON b.id = a.b_id WHERE a.d < now() AND statement_timestamp() >= transaction_timestamp()
