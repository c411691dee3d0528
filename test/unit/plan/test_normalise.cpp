#include <boost/test/unit_test.hpp>

#include <cstring>
#include <string>

#include "core/plan/normalise.h"

using query_shaper::NormaliseStatement;

static std::string Normalise(const std::string& text, size_t capacity = 2000) {
  std::string out(capacity, '?');
  out.resize(NormaliseStatement(text.data(), text.size(), out.data(), capacity));
  return out;
}

BOOST_AUTO_TEST_SUITE(normalise)

BOOST_AUTO_TEST_CASE(replaces_literals_of_every_kind) {
  BOOST_TEST(Normalise("SELECT 1, 'it''s', E'a\\'b', $q$x$q$, B'01', 1.5e-3, .5") ==
             "SELECT $1, $2, $3, $4, $5, $6, $7");
  BOOST_TEST(Normalise("select U&'d\\0061t' , x'ff'") == "select $1 , $2");
}

BOOST_AUTO_TEST_CASE(keeps_names_and_counts_on_from_parameters) {
  BOOST_TEST(Normalise("SELECT t1.c2, \"a'1\" FROM t1 WHERE x = $3 AND y=4") ==
             "SELECT t1.c2, \"a'1\" FROM t1 WHERE x = $3 AND y=$4");
}

BOOST_AUTO_TEST_CASE(drops_comments_and_folds_blanks) {
  BOOST_TEST(Normalise("  SELECT /* a /* b */ 'c' */ x\n\t -- secret 7\nFROM t ; ") == "SELECT x FROM t");
}

BOOST_AUTO_TEST_CASE(survives_unterminated_input_and_small_room) {
  BOOST_TEST(Normalise("SELECT 'abc") == "SELECT $1");
  BOOST_TEST(Normalise("SELECT E'abc\\") == "SELECT $1");
  BOOST_TEST(Normalise("SELECT $a$ abc") == "SELECT $1");
  BOOST_TEST(Normalise("SELECT /* abc") == "SELECT");
  BOOST_TEST(Normalise("SELECT abcdef", 5) == "SELE");
  BOOST_TEST(Normalise("", 1) == "");
}

BOOST_AUTO_TEST_SUITE_END()
