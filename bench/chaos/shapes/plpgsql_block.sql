SELECT count_by_block({n} % 37)
