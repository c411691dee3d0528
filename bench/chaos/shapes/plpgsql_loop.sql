SELECT count_by_loop({n} % 37), count_by_loop(1)
