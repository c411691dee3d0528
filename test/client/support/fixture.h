// What the sources of client tests open with: the fixture that makes the tables, and the names they use.
#pragma once
#include <boost/test/unit_test.hpp>
#include <chrono>

#include "support/session.h"

using client_test::ClosedGate;
using client_test::Eventually;
using client_test::HistoryRow;
using client_test::kLines;
using client_test::Outcome;
using client_test::Session;
using Clock = std::chrono::steady_clock;

struct Prepared {
  Prepared() { client_test::Prepare(); }
};

inline double Ms(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }
