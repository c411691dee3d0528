// Versioned, checksummed byte strings of numbers: the same bytes on every machine, and damage is noticed.
//
// Layout: magic u32, version u32, payload length u32, checksum u64 over the payload, payload. All little endian.
#pragma once
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace query_shaper {

constexpr uint32_t kByteHeader = 20;

// Writes as much as fits and counts all: needed() is right even when the buffer is too small or null.
class ByteWriter {
 public:
  ByteWriter(uint32_t magic, uint32_t version, char* out, uint32_t capacity)
      : out_(out), capacity_(out == nullptr ? 0 : capacity), magic_(magic), version_(version) {}

  void Byte(uint8_t value) {
    if (kByteHeader + length_ < capacity_) out_[kByteHeader + length_] = static_cast<char>(value);
    ++length_;
  }
  void U32(uint32_t value) {
    for (int i = 0; i < 4; ++i) Byte(static_cast<uint8_t>(value >> (8 * i)));
  }
  void U64(uint64_t value) {
    for (int i = 0; i < 8; ++i) Byte(static_cast<uint8_t>(value >> (8 * i)));
  }
  void Double(double value) { U64(std::bit_cast<uint64_t>(value)); }
  void Float(float value) { U32(std::bit_cast<uint32_t>(value)); }
  void Doubles(const double* values, int count) {
    for (int i = 0; i < count; ++i) Double(values[i]);
  }
  void Floats(const float* values, int count) {
    for (int i = 0; i < count; ++i) Float(values[i]);
  }
  // The lower triangle of a symmetric matrix stored in full, row major.
  void Symmetric(const double* matrix, int size) {
    for (int row = 0; row < size; ++row) Doubles(matrix + row * size, row + 1);
  }

  uint32_t needed() const { return kByteHeader + length_; }

  // Puts the header in front; call once, last. Returns needed(); the buffer is valid only if that is <= capacity.
  uint32_t Finish() {
    const uint32_t payload = length_;
    if (needed() > capacity_) return needed();
    Put(0, magic_, 4);
    Put(4, version_, 4);
    Put(8, payload, 4);
    Put(12, HashBytes(out_ + kByteHeader, payload, version_), 8);
    return needed();
  }

 private:
  void Put(uint32_t at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out_[at + i] = static_cast<char>(static_cast<uint8_t>(value >> (8 * i)));
  }

  char* out_;
  uint32_t capacity_;
  uint32_t length_ = 0;
  uint32_t magic_;
  uint32_t version_;
};

// Throws Error(kCorruptModel) on a foreign magic or version, a wrong length or checksum, a read past the end, and on
// any number that is not finite.
class ByteReader {
 public:
  ByteReader(uint32_t magic, uint32_t version, const char* bytes, uint32_t length) : bytes_(bytes), length_(length) {
    if (bytes == nullptr || length < kByteHeader) throw Error(Fault::kCorruptModel, "stored model is too short");
    if (Get(0, 4) != magic) throw Error(Fault::kCorruptModel, "stored model has a foreign signature");
    if (Get(4, 4) != version) throw Error(Fault::kCorruptModel, "stored model has another version");
    if (Get(8, 4) != length - kByteHeader) throw Error(Fault::kCorruptModel, "stored model has a wrong length");
    if (Get(12, 8) != HashBytes(bytes + kByteHeader, length - kByteHeader, version))
      throw Error(Fault::kCorruptModel, "stored model has a wrong checksum");
    at_ = kByteHeader;
  }

  uint32_t U32() { return static_cast<uint32_t>(Next(4)); }
  uint64_t U64() { return Next(8); }
  double Double() {
    const double value = std::bit_cast<double>(Next(8));
    if (!std::isfinite(value)) throw Error(Fault::kCorruptModel, "stored model holds a number that is not finite");
    return value;
  }
  float Float() {
    const float value = std::bit_cast<float>(U32());
    if (!std::isfinite(value)) throw Error(Fault::kCorruptModel, "stored model holds a number that is not finite");
    return value;
  }
  void Doubles(double* values, int count) {
    for (int i = 0; i < count; ++i) values[i] = Double();
  }
  void Floats(float* values, int count) {
    for (int i = 0; i < count; ++i) values[i] = Float();
  }
  void Symmetric(double* matrix, int size) {
    for (int row = 0; row < size; ++row)
      for (int column = 0; column <= row; ++column)
        matrix[row * size + column] = matrix[column * size + row] = Double();
  }
  // Every byte must have been asked for.
  void Finish() const {
    if (at_ != length_) throw Error(Fault::kCorruptModel, "stored model has a wrong length");
  }

 private:
  uint64_t Next(uint32_t bytes) {
    if (length_ - at_ < bytes) throw Error(Fault::kCorruptModel, "stored model ends too early");
    const uint64_t value = Get(at_, bytes);
    at_ += bytes;
    return value;
  }
  uint64_t Get(uint32_t at, uint32_t bytes) const {
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; ++i)
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes_[at + i])) << (8 * i);
    return value;
  }

  const char* bytes_;
  uint32_t length_;
  uint32_t at_ = 0;
};

}  // namespace query_shaper
