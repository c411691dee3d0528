-- Human genes, what is known of them, and the Gene Ontology, as Debian's packages of Bioconductor carry them.
CREATE TABLE genes (gid integer, gene_id integer);
CREATE TABLE gene_info (gid integer, gene_name text, symbol text);
CREATE TABLE genetype (gid integer, gene_type text);
CREATE TABLE chromosome_locations (gid integer, seqname text, start_location integer, end_location integer);
CREATE TABLE alias (gid integer, alias_symbol text);
CREATE TABLE accessions (gid integer, accession text);
CREATE TABLE refseq (gid integer, accession text);
CREATE TABLE pubmed (gid integer, pubmed_id integer);
CREATE TABLE go_bp (gid integer, go_id text, evidence text);
CREATE TABLE go_bp_all (gid integer, go_id text, evidence text);
CREATE TABLE go_cc_all (gid integer, go_id text, evidence text);
CREATE TABLE go_mf_all (gid integer, go_id text, evidence text);
CREATE TABLE kegg (gid integer, path_id text);
CREATE TABLE pfam (gid integer, ipi_id text, pfam_id text);
CREATE TABLE go_term (tid integer, go_id text, term text, ontology text, definition text);
CREATE TABLE go_bp_offspring (tid integer, offspring_tid integer);
CREATE TABLE go_bp_parents (tid integer, parent_tid integer, relationship_type text);
