SELECT w.doc->>'k', count(*), sum(e.value::int) FROM wide w, jsonb_array_elements_text(w.doc->'list') e
  JOIN c ON c.id = e.value::int GROUP BY 1
