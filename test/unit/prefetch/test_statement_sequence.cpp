#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>
#include <vector>

#include "core/prefetch/statement_sequence.h"

using namespace query_shaper;

namespace {

struct Guesses {
  int right = 0, sure = 0, wrong_but_sure = 0;
};

Guesses Play(const std::vector<uint64_t>& statements, StatementSequence* sequence) {
  Guesses guesses;
  SessionPlace place;
  for (const uint64_t fingerprint : statements) {
    const NextStatement next = PredictStatement(*sequence, place);
    guesses.right += next.fingerprint == fingerprint;
    guesses.sure += next.probability >= 0.7F;
    guesses.wrong_but_sure += next.probability >= 0.7F && next.fingerprint != fingerprint;
    NoteStatement(sequence, &place, fingerprint);
  }
  return guesses;
}

std::unique_ptr<StatementSequence> NewSequence() {
  auto sequence = std::make_unique<StatementSequence>();
  StartSequence(sequence.get());
  return sequence;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(statement_sequence)

BOOST_AUTO_TEST_CASE(a_repeated_dialogue_is_foretold) {
  std::vector<uint64_t> statements;
  for (int i = 0; i < 100; ++i)
    for (const uint64_t fingerprint : {11, 12, 13, 14, 15}) statements.push_back(fingerprint);
  const Guesses guesses = Play(statements, NewSequence().get());
  BOOST_TEST(guesses.right >= 490);
  BOOST_TEST(guesses.wrong_but_sure == 0);
}

// After 9 comes what followed the statement before it: one statement does not tell, two do.
BOOST_AUTO_TEST_CASE(the_longer_memory_is_used_where_it_is_right) {
  std::vector<uint64_t> statements;
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const uint64_t kind = 1 + random() % 3;
    for (const uint64_t fingerprint : {kind, uint64_t{9}, kind + 20}) statements.push_back(fingerprint);
  }
  const Guesses guesses = Play(statements, NewSequence().get());
  BOOST_TEST(guesses.right >= 600 + 80);  // two of three are certain, the third one time in three
}

BOOST_AUTO_TEST_CASE(of_random_statements_nothing_is_sure) {
  std::vector<uint64_t> statements;
  std::mt19937 random(2);
  for (int i = 0; i < 5000; ++i) statements.push_back(1 + random() % 40);
  BOOST_TEST(Play(statements, NewSequence().get()).sure < 20);
}

BOOST_AUTO_TEST_CASE(sessions_share_what_is_known) {
  const auto sequence = NewSequence();
  SessionPlace first, second;
  for (int i = 0; i < 20; ++i)
    for (const uint64_t fingerprint : {5, 6, 7}) {
      NoteStatement(sequence.get(), &first, fingerprint);
      if (i % 2 == 0) NoteStatement(sequence.get(), &second, fingerprint + 10);
    }
  SessionPlace fresh;
  BOOST_TEST(PredictStatement(*sequence, fresh).fingerprint == 0U);
  NoteStatement(sequence.get(), &fresh, 5);
  BOOST_TEST(PredictStatement(*sequence, fresh).fingerprint == 6U);
  BOOST_TEST(PredictStatement(*sequence, fresh).probability > 0.8F);
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_and_the_latest_stays) {
  const auto sequence = NewSequence();
  SessionPlace place;
  for (uint64_t fingerprint = 1; fingerprint < 100000; ++fingerprint)
    NoteStatement(sequence.get(), &place, fingerprint);
  SessionPlace recent;
  NoteStatement(sequence.get(), &recent, 99990);
  BOOST_TEST(PredictStatement(*sequence, recent).fingerprint == 99991U);
}

BOOST_AUTO_TEST_SUITE_END()
