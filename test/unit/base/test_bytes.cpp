#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>
#include <vector>

#include "core/base/bytes.h"

using namespace query_shaper;

namespace {

constexpr uint32_t kMagic = 0x54534554;

std::string Sample(double number = 2.5, uint32_t version = 3) {
  char buffer[256];
  ByteWriter writer(kMagic, version, buffer, sizeof(buffer));
  writer.U32(7);
  writer.U64(0x0123456789abcdefULL);
  writer.Double(number);
  writer.Float(-1.5f);
  const double matrix[4] = {1, 2, 2, 5};
  writer.Symmetric(matrix, 2);
  return std::string(buffer, writer.Finish());
}

bool IsCorrupt(const Error& error) { return error.fault == Fault::kCorruptModel; }

void ReadSample(const std::string& bytes) {
  ByteReader reader(kMagic, 3, bytes.data(), static_cast<uint32_t>(bytes.size()));
  reader.U32();
  reader.U64();
  reader.Double();
  reader.Float();
  double matrix[4];
  reader.Symmetric(matrix, 2);
  reader.Finish();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bytes)

BOOST_AUTO_TEST_CASE(what_is_written_is_read) {
  const std::string bytes = Sample();
  ByteReader reader(kMagic, 3, bytes.data(), static_cast<uint32_t>(bytes.size()));
  BOOST_TEST(reader.U32() == 7u);
  BOOST_TEST(reader.U64() == 0x0123456789abcdefULL);
  BOOST_TEST(reader.Double() == 2.5);
  BOOST_TEST(reader.Float() == -1.5f);
  double matrix[4] = {};
  reader.Symmetric(matrix, 2);
  BOOST_TEST(matrix[1] == 2);
  BOOST_TEST(matrix[2] == 2);
  BOOST_TEST(matrix[3] == 5);
  reader.Finish();
}

BOOST_AUTO_TEST_CASE(the_layout_is_little_endian) {
  const std::string bytes = Sample();
  BOOST_TEST(bytes.substr(0, 4) == "TEST");
  BOOST_TEST(static_cast<int>(bytes[kByteHeader]) == 7);
  BOOST_TEST(static_cast<unsigned char>(bytes[kByteHeader + 4]) == 0xef);
}

BOOST_AUTO_TEST_CASE(a_small_buffer_only_counts) {
  char buffer[24];
  std::fill(buffer, buffer + sizeof(buffer), 'x');
  ByteWriter writer(kMagic, 1, buffer, 22);
  for (int i = 0; i < 10; ++i) writer.Double(i);
  BOOST_TEST(writer.Finish() == kByteHeader + 80);
  BOOST_TEST(buffer[22] == 'x');
  BOOST_TEST(buffer[23] == 'x');
  ByteWriter none(kMagic, 1, nullptr, 100);
  none.U32(1);
  BOOST_TEST(none.Finish() == kByteHeader + 4);
}

BOOST_AUTO_TEST_CASE(every_damaged_bit_is_noticed) {
  const std::string whole = Sample();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      BOOST_CHECK_EXCEPTION(ReadSample(damaged), Error, IsCorrupt);
    }
  }
}

BOOST_AUTO_TEST_CASE(cut_lengthened_foreign_and_empty_strings_are_refused) {
  const std::string whole = Sample();
  for (size_t length = 0; length < whole.size(); ++length)
    BOOST_CHECK_EXCEPTION(ReadSample(whole.substr(0, length)), Error, IsCorrupt);
  BOOST_CHECK_EXCEPTION(ReadSample(whole + "x"), Error, IsCorrupt);
  BOOST_CHECK_EXCEPTION(ReadSample(Sample(2.5, 4)), Error, IsCorrupt);
  BOOST_CHECK_EXCEPTION(ByteReader(kMagic, 3, nullptr, 0), Error, IsCorrupt);
}

BOOST_AUTO_TEST_CASE(numbers_that_are_not_finite_are_refused) {
  BOOST_CHECK_EXCEPTION(ReadSample(Sample(std::numeric_limits<double>::quiet_NaN())), Error, IsCorrupt);
  BOOST_CHECK_EXCEPTION(ReadSample(Sample(-std::numeric_limits<double>::infinity())), Error, IsCorrupt);
}

BOOST_AUTO_TEST_CASE(reading_past_the_end_and_leaving_bytes_are_refused) {
  const std::string whole = Sample();
  ByteReader reader(kMagic, 3, whole.data(), static_cast<uint32_t>(whole.size()));
  BOOST_CHECK_EXCEPTION(reader.Finish(), Error, IsCorrupt);
  std::vector<double> sink(100);
  BOOST_CHECK_EXCEPTION(reader.Doubles(sink.data(), 100), Error, IsCorrupt);
}

BOOST_AUTO_TEST_SUITE_END()
