-- Each line is one statement; the loader runs the lines of a table in the job that loaded it.
CREATE INDEX ON genes (gid);
ALTER TABLE gene_info ADD PRIMARY KEY (gid);
ALTER TABLE genetype ADD PRIMARY KEY (gid);
CREATE INDEX ON chromosome_locations (gid);
CREATE INDEX ON alias (gid);
CREATE INDEX ON pubmed (gid);
CREATE INDEX ON pubmed (pubmed_id);
CREATE INDEX ON go_bp (gid);
CREATE INDEX ON go_bp_all (gid);
CREATE INDEX ON go_bp_all (go_id);
CREATE INDEX ON go_cc_all (gid);
CREATE INDEX ON go_mf_all (gid);
CREATE INDEX ON kegg (gid);
CREATE INDEX ON pfam (gid);
ALTER TABLE go_term ADD PRIMARY KEY (tid);
CREATE UNIQUE INDEX ON go_term (go_id);
CREATE INDEX ON go_bp_offspring (tid);
CREATE INDEX ON go_bp_parents (tid);
