// Correlated subqueries made at random: memos change no row, no order and no error.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <pqxx/pqxx>
#include <random>
#include <sstream>

BOOST_AUTO_TEST_SUITE(subqueries)

namespace {

// Columns that every table of the test has; the names are those of the types' families.
const std::vector<std::string> kNumbers = {"k", "j", "n"};
const std::vector<std::string> kTexts = {"w", "b"};

class Writer {
 public:
  explicit Writer(unsigned seed) : random_(seed) {}

  std::string Statement() {
    aliases_ = 0;
    std::string outer = NewAlias();
    std::vector<std::string> seen = {outer};
    std::string from = Pick({"outside", "outside", "(SELECT * FROM outside ORDER BY j, id)"}) + " " + outer;
    if (Chance(0.25)) {
      std::string other = NewAlias();
      seen.push_back(other);
      from += Pick({" JOIN ", " LEFT JOIN "}) + "inside " + other + " ON " + outer + ".id = " + other + ".id";
    }
    std::string where = Chance(0.5) ? " WHERE " + Condition(seen, 2) : "";
    if (Chance(0.15))
      return "SELECT " + outer + ".k, count(*), max(" + Scalar({outer}, 2) + ") FROM " + from + where + " GROUP BY " +
             outer + ".k ORDER BY 1, 2";
    std::string result = Chance(0.2) ? "CASE WHEN " + outer + ".j = 1 THEN " + Value(seen, 2) + " END" : Value(seen, 2);
    return "SELECT " + outer + ".id, " + result + (Chance(0.3) ? ", " + Value(seen, 1) : "") + " FROM " + from + where +
           (Chance(0.3) ? " ORDER BY " + Scalar({outer}, 1) + ", " + outer + ".id" : "");
  }

  bool Chance(double share) { return std::uniform_real_distribution<double>(0, 1)(random_) < share; }
  std::string Pick(const std::vector<std::string>& from) {
    return from[std::uniform_int_distribution<size_t>(0, from.size() - 1)(random_)];
  }
  int Number(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

 private:
  std::string NewAlias() { return "t" + std::to_string(aliases_++); }
  std::string NumberOf(const std::string& alias) { return alias + "." + Pick(kNumbers); }
  std::string OneOf(const std::vector<std::string>& seen) {
    // The nearest more often than those further out.
    return Chance(0.7) ? seen.back() : Pick(seen);
  }

  // How an inner table hangs on what is seen around it.
  std::string Correlation(const std::string& inner, const std::vector<std::string>& seen) {
    std::string outer = OneOf(seen);
    if (Chance(0.25)) {
      std::string column = Pick(kTexts);
      return inner + "." + column + Pick({" = ", " >= ", " IS NOT DISTINCT FROM "}) + outer + "." + column;
    }
    return NumberOf(inner) + Pick({" = ", " = ", " < ", " <= ", " <> ", " IS NOT DISTINCT FROM "}) + NumberOf(outer);
  }

  std::string Body(const std::string& columns, const std::string& inner, const std::vector<std::string>& seen,
                   int depth) {
    std::vector<std::string> inside = seen;
    inside.push_back(inner);
    std::string where = Correlation(inner, seen);
    if (Chance(0.4)) where += " AND " + Correlation(inner, seen);
    if (Chance(0.2)) where = "(" + where + " OR " + inner + ".k IS NULL)";
    if (depth > 0 && Chance(0.35)) where += " AND " + Condition(inside, depth - 1);
    int shape = Number(0, 9);
    if (shape == 0) {
      std::string other = NewAlias();
      return "SELECT " + columns + " FROM inside " + inner + " JOIN inside " + other + " ON " + inner +
             ".id = " + other + ".id AND " + Correlation(other, seen) + " WHERE " + where;
    }
    if (shape == 1)
      return "WITH c AS MATERIALIZED (SELECT * FROM inside " + inner + " WHERE " + where + ") SELECT " + columns +
             " FROM c " + inner;
    if (shape == 2)
      return "SELECT " + columns + " FROM (SELECT * FROM inside " + inner + " WHERE " + where +
             " UNION ALL SELECT * FROM inside " + inner + " WHERE " + Correlation(inner, seen) + ") " + inner;
    if (shape == 3)
      return "SELECT " + columns + " FROM (SELECT DISTINCT ON (k, w) * FROM inside " + inner + " WHERE " + where +
             " ORDER BY k, w, id) " + inner;
    if (shape == 4)
      return "SELECT " + columns + " FROM generate_series(1, 3) g, LATERAL (SELECT * FROM inside " + inner + " WHERE " +
             where + " AND " + inner + ".id % 3 = g - 1) " + inner;
    return "SELECT " + columns + " FROM inside " + inner + " WHERE " + where;
  }

  // A subquery of one row at most, as a number.
  std::string Scalar(const std::vector<std::string>& seen, int depth) {
    std::string inner = NewAlias();
    if (Chance(0.25))
      return "(" + Body(inner + ".n", inner, seen, depth) + " ORDER BY 1 DESC NULLS LAST LIMIT " +
             (Chance(0.05) ? "2)" : "1)");
    std::string term = inner + ".id";
    if (depth > 0 && Chance(0.3)) {
      std::vector<std::string> inside = seen;
      inside.push_back(inner);
      // An aggregate belongs to the query of what it is over.
      term = "coalesce(" + inner + ".j, 0) + coalesce(" + Scalar(inside, depth - 1) + ", 0)";
    }
    return "(" + Body(Pick({"sum", "min", "max", "count"}) + "(" + term + ")", inner, seen, depth) + ")";
  }

  std::string Condition(const std::vector<std::string>& seen, int depth) {
    std::string inner = NewAlias();
    std::string outer = OneOf(seen);
    switch (Number(0, 7)) {
      case 0:
        return Pick({"", "NOT "}) + "EXISTS (" + Body("1", inner, seen, depth) + ")";
      case 1:
        return "(EXISTS (" + Body("1", inner, seen, depth) + ") OR " + outer + ".id % 7 = 0)";
      case 2:
        return NumberOf(outer) + Pick({" IN (", " NOT IN ("}) + Body(NumberOf(inner), inner, seen, depth) + ")";
      case 3:
        return NumberOf(outer) + Pick({" = ", " < ", " >= ", " <> "}) + Pick({"ANY (", "ALL ("}) +
               Body(NumberOf(inner), inner, seen, depth) + ")";
      case 4:
        return "(" + NumberOf(outer) + ", " + NumberOf(outer) + ") " + Pick({"= ANY (", "NOT IN ("}) +
               Body(inner + ".k, " + inner + ".j", inner, seen, depth) + ")";
      case 5:
        return "(" + outer + ".j, " + outer + ".id) " + Pick({"< (", "= (", ">= ("}) +
               Body("max(" + inner + ".j), max(" + inner + ".id)", inner, seen, depth) + ")";
      default:
        return Scalar(seen, depth) + Pick({" > ", " IS NOT DISTINCT FROM ", " <> "}) + NumberOf(outer);
    }
  }

  std::string Value(const std::vector<std::string>& seen, int depth) {
    std::string inner = NewAlias();
    switch (Number(0, 5)) {
      case 0:
        return "(" + Condition(seen, depth) + ")";
      case 1:
        return "ARRAY(" + Body(Pick({inner + ".w", inner + ".n", inner + ".id"}), inner, seen, depth) + ")";
      case 2:
        return "(" +
               Body("string_agg(" + inner + ".w || " + OneOf(seen) + ".b, ',' ORDER BY " + inner + ".id)", inner, seen,
                    depth) +
               ")";
      default:
        return Scalar(seen, depth);
    }
  }

  std::mt19937 random_;
  int aliases_ = 0;
};

// Every row as text, or the error's code.
std::string Answer(pqxx::connection* connection, const std::string& sql) {
  pqxx::nontransaction transaction(*connection);
  std::ostringstream out;
  try {
    for (const pqxx::row& row : transaction.exec(sql)) {
      for (const pqxx::field& field : row) out << (field.is_null() ? "NULL" : field.c_str()) << '|';
      out << '\n';
    }
  } catch (const pqxx::sql_error& error) {
    out << "error " << error.sqlstate();
  }
  return out.str();
}

// The same through a cursor: there and, in part, back.
std::string ScrolledAnswer(pqxx::connection* connection, const std::string& sql, int stride) {
  std::ostringstream out;
  pqxx::work transaction(*connection);
  try {
    transaction.exec("DECLARE scrolled SCROLL CURSOR FOR " + sql);
    for (bool more = true; more;) {
      pqxx::result rows = transaction.exec("FETCH " + std::to_string(stride) + " FROM scrolled");
      more = !rows.empty();
      for (const pqxx::result* part : {&rows}) {
        for (const pqxx::row& row : *part) {
          for (const pqxx::field& field : row) out << (field.is_null() ? "NULL" : field.c_str()) << '|';
          out << '\n';
        }
      }
      for (const pqxx::row& row : transaction.exec("FETCH BACKWARD 3 FROM scrolled")) out << "< " << row[0].c_str();
      transaction.exec("MOVE FORWARD 3 FROM scrolled");
    }
  } catch (const pqxx::sql_error& error) {
    out << "error " << error.sqlstate();
  }
  return out.str();
}

}  // namespace

BOOST_AUTO_TEST_CASE(memos_change_nothing_but_the_number_of_runs) {
  pqxx::connection connection("");
  {
    pqxx::nontransaction setup(connection);
    setup.exec(
        "SET query_shaper.min_cost = 0; SET query_shaper.learn_rows = off; SET query_shaper.replan = off;"
        "SET query_shaper.shadow = off; SET max_parallel_workers_per_gather = 0; SET jit = off;"
        "SET statement_timeout = '20s'; SET client_min_messages = error;"
        "CREATE EXTENSION IF NOT EXISTS query_shaper; DROP TABLE IF EXISTS inside, outside;"
        "DROP COLLATION IF EXISTS blind;"
        "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE TABLE inside (id int PRIMARY KEY, k int, j int, n numeric, w text, b text COLLATE blind);"
        "INSERT INTO inside SELECT g, nullif(g % 7, 3), g % 3, (ARRAY[1.0, 1.00, 2, 0.5, NULL])[1 + g % 5],"
        " nullif(chr(97 + g % 4), 'c'), (ARRAY['a', 'A', 'b'])[1 + g % 3] FROM generate_series(1, 40) g;"
        "CREATE TABLE outside (LIKE inside);"
        "INSERT INTO outside SELECT g, nullif(g % 6, 2), g % 4, (ARRAY[1, 1.0, 3, NULL, 0.50])[1 + g % 5],"
        " nullif(chr(97 + g % 5), 'b'), (ARRAY['B', 'A', 'b', NULL])[1 + g % 4] FROM generate_series(1, 150) g;"
        "CREATE INDEX ON inside (k); ANALYZE inside, outside");
  }
  const char* seed_text = std::getenv("SUBQUERIES_SEED");
  const char* count_text = std::getenv("SUBQUERIES");
  unsigned seed = seed_text ? static_cast<unsigned>(std::atoi(seed_text)) : 1;
  int count = count_text ? std::atoi(count_text) : 200;
  Writer writer(seed);
  int errors = 0, compared = 0, differing = 0;
  for (int i = 0; i < count && differing < 5; ++i) {
    std::string sql = writer.Statement();
    std::string settings = "SET work_mem = '" + writer.Pick({"64kB", "4MB"}) + "'; SET hash_mem_multiplier = 1";
    for (const char* method : {"hashjoin", "mergejoin", "nestloop", "material", "memoize", "indexscan", "hashagg"})
      settings += std::string("; SET enable_") + method + (writer.Chance(0.2) ? " = off" : " = on");
    bool scroll = writer.Chance(0.15);
    int stride = writer.Number(1, 60);
    std::string answers[2];
    for (bool memos : {false, true}) {
      Answer(&connection, settings + "; SET query_shaper.memoize_subplans = " + (memos ? "on" : "off"));
      answers[memos] = scroll ? ScrolledAnswer(&connection, sql, stride) : Answer(&connection, sql);
    }
    bool error = answers[0].find("error") != std::string::npos;
    // Which of two errors comes first, and whether a time limit is met, is nobody's promise.
    if (answers[0].find("error 57014") != std::string::npos || answers[1].find("error 57014") != std::string::npos)
      continue;
    errors += error;
    ++compared;
    if (answers[0] == answers[1]) continue;
    ++differing;
    BOOST_ERROR("seed " << seed << ", statement " << i << (scroll ? " scrolled by " + std::to_string(stride) : "")
                        << ": " << settings << ";\n"
                        << sql);
  }
  BOOST_TEST_MESSAGE(compared << " compared, " << errors << " of them errors");
  BOOST_TEST(compared > count * 9 / 10);
  BOOST_TEST(errors < count / 5);
  pqxx::nontransaction look(connection);
  double hits =
      look.exec1("SELECT value FROM query_shaper.metrics WHERE name = 'subplan_memo_hits_total'")[0].as<double>();
  BOOST_TEST_MESSAGE(hits << " hits");
  BOOST_TEST(hits > 20.0 * compared);
}

BOOST_AUTO_TEST_SUITE_END()
