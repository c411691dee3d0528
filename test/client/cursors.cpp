// Cursors: read in pieces, their progress goes on where it stopped and the client's pauses for thought are not theirs.
#include "support/fixture.h"

BOOST_FIXTURE_TEST_SUITE(cursors, Prepared)

BOOST_AUTO_TEST_CASE(think_time_is_not_counted) {
  Session session, eye;
  const auto start = Clock::now();
  session.Run("BEGIN");
  session.Run("DECLARE thought CURSOR FOR SELECT id AS thoughtful FROM line ORDER BY label, id");
  double think_ms = 0;
  long rows = 0;
  while (true) {
    const Outcome piece = session.Run("FETCH 5000 FROM thought");
    BOOST_TEST(piece.sqlstate == "");
    if (piece.rows == 0) break;
    rows += piece.rows;
    const auto before = Clock::now();
    session.Run("SELECT pg_sleep(0.5)");
    think_ms += Ms(Clock::now() - before);
  }
  session.Run("COMMIT");
  const double whole_ms = Ms(Clock::now() - start);
  BOOST_TEST(rows == kLines);
  BOOST_TEST(think_ms >= 2000);
  const HistoryRow history = History(&eye, "thoughtful FROM line");
  BOOST_TEST(history.calls == 1);
  BOOST_TEST(history.rows == kLines);
  // Holds on any machine however slow: what is not thought is an upper bound.
  BOOST_TEST(history.mean_ms > 0);
  BOOST_TEST(history.mean_ms <= whole_ms - think_ms);
}

BOOST_AUTO_TEST_CASE(progress_of_a_later_piece_counts_the_earlier_ones) {
  ClosedGate gate(201);
  Session session, eye;
  session.Run("BEGIN");
  session.Run("DECLARE pieces CURSOR FOR SELECT id FROM line WHERE gate(id, 15000, 201)");
  BOOST_TEST(session.Run("FETCH 10000 FROM pieces").rows == 10000);
  session.Start("FETCH 10000 FROM pieces");
  const std::string pid = std::to_string(session.pid());
  const std::string counted =
      "SELECT count(*) FROM query_shaper.activity_nodes WHERE operator = 'Seq Scan' AND actual_rows BETWEEN 14000 AND "
      "15000 "
      "AND pid = " +
      pid;
  BOOST_TEST(Eventually([&] { return eye.Value(counted) == "1"; }));
  // What gate() waits in is a statement of its own.
  const double progress = std::stod(
      eye.Value("SELECT progress FROM query_shaper.activity WHERE pid = " + pid + " ORDER BY nest_level LIMIT 1"));
  BOOST_TEST(progress > 0);
  BOOST_TEST(progress < 1);
  gate.Open();
  BOOST_TEST(session.Finish().rows == 10000);
  BOOST_TEST(session.Run("FETCH 1 FROM pieces").rows == 0);
  session.Run("COMMIT");
  BOOST_TEST(Eventually([&] { return !Shows(&eye, session.pid()); }));
}

BOOST_AUTO_TEST_CASE(scrolling_returns_the_same_rows) {
  Session session;
  session.Run("BEGIN");
  session.Run("DECLARE scrolled SCROLL CURSOR FOR SELECT id FROM line ORDER BY id");
  BOOST_TEST(session.Run("FETCH 100 FROM scrolled").value == "100");
  BOOST_TEST(session.Run("FETCH BACKWARD 50 FROM scrolled").value == "50");
  BOOST_TEST(session.Run("FETCH FORWARD 60 FROM scrolled").value == "110");
  BOOST_TEST(session.Run("FETCH ABSOLUTE 7 FROM scrolled").value == "7");
  BOOST_TEST(session.Run("FETCH LAST FROM scrolled").value == std::to_string(kLines));
  session.Run("COMMIT");
}

BOOST_AUTO_TEST_CASE(a_held_cursor_survives_its_transaction) {
  Session session, eye;
  session.Run("BEGIN");
  session.Run("DECLARE held CURSOR WITH HOLD FOR SELECT id AS held_one FROM line ORDER BY id DESC");
  session.Run("FETCH 10 FROM held");
  session.Run("COMMIT");
  BOOST_TEST(session.Run("FETCH 10 FROM held").value == std::to_string(kLines - 19));
  BOOST_TEST(session.Run("FETCH ALL FROM held").rows == kLines - 20);
  session.Run("CLOSE held");
  BOOST_TEST(Eventually([&] { return !Shows(&eye, session.pid()); }));
  BOOST_TEST(History(&eye, "held_one").calls == 1);
}

BOOST_AUTO_TEST_CASE(two_cursors_at_once_keep_apart) {
  Session session, eye;
  session.Run("BEGIN");
  session.Run("DECLARE left_one CURSOR FOR SELECT id AS interleaved_a FROM line ORDER BY id");
  session.Run("DECLARE right_one CURSOR FOR SELECT id AS interleaved_b FROM line WHERE grp < 50 ORDER BY id DESC");
  long left = 0, right = 0;
  for (int piece = 0; piece < 20; piece++) {
    left += session.Run("FETCH 1000 FROM left_one").rows;
    right += session.Run("FETCH 500 FROM right_one").rows;
  }
  BOOST_TEST(session.Run("FETCH 1 FROM left_one").rows == 0);
  BOOST_TEST(session.Run("FETCH 1 FROM right_one").rows == 0);
  session.Run("COMMIT");
  BOOST_TEST(left == kLines);
  BOOST_TEST(right == kLines / 2);
  BOOST_TEST(History(&eye, "interleaved_a").rows == kLines);
  BOOST_TEST(History(&eye, "interleaved_b").rows == kLines / 2);
}

BOOST_AUTO_TEST_CASE(an_abandoned_cursor_ends_with_its_transaction) {
  Session session, eye;
  session.Run("BEGIN");
  session.Run("DECLARE lost CURSOR FOR SELECT id FROM line ORDER BY label");
  BOOST_TEST(session.Run("FETCH 10 FROM lost").rows == 10);
  session.Run("ROLLBACK");
  BOOST_TEST(Eventually([&] { return !Shows(&eye, session.pid()); }));
  BOOST_TEST(session.Value("SELECT count(*) FROM line") == std::to_string(kLines));
}

BOOST_AUTO_TEST_SUITE_END()
