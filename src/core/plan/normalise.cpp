#include "core/plan/normalise.h"

#include <charconv>
#include <cstring>

namespace query_shaper {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (static_cast<unsigned char>(c) & 0x80);
}
bool IsName(char c) { return IsNameStart(c) || IsDigit(c) || c == '$'; }

class Normaliser {
 public:
  Normaliser(const char* text, size_t length, char* out, size_t capacity)
      : at_(text), end_(text + length), out_(out), room_(capacity) {
    parameter_ = HighestParameter(text, end_);
  }

  size_t Run() {
    while (at_ < end_) Token();
    while (used_ > 0 && (out_[used_ - 1] == ' ' || out_[used_ - 1] == ';')) --used_;
    if (room_ > 0) out_[used_] = '\0';
    return used_;
  }

 private:
  static int HighestParameter(const char* p, const char* end) {
    int highest = 0;
    for (; p + 1 < end; ++p) {
      if (*p != '$' || !IsDigit(p[1])) continue;
      int number = 0;
      for (const char* d = p + 1; d < end && IsDigit(*d) && number < 100000; ++d) number = number * 10 + (*d - '0');
      if (number > highest) highest = number;
    }
    return highest;
  }

  char Peek(size_t ahead) const { return at_ + ahead < end_ ? at_[ahead] : '\0'; }

  void Put(char c) {
    if (used_ + 1 < room_) out_[used_++] = c;
  }

  void PutParameter() {
    char digits[16];
    auto [end, error] = std::to_chars(digits, digits + sizeof digits, ++parameter_);
    Put('$');
    for (const char* c = digits; c < end; ++c) Put(*c);
  }

  void Token() {
    char c = *at_;
    if (IsSpace(c) || (c == '-' && Peek(1) == '-') || (c == '/' && Peek(1) == '*')) return Blank();
    if (c == '\'') return Quoted(false);
    // E'', B'', X'', N'' and U&'' are one literal with their prefix.
    if (Peek(1) == '\'' && std::strchr("eEbBxXnN", c)) {
      ++at_;
      return Quoted(c == 'e' || c == 'E');
    }
    if ((c == 'u' || c == 'U') && Peek(1) == '&' && Peek(2) == '\'') {
      at_ += 2;
      return Quoted(false);
    }
    if (c == '"') return Identifier();
    if (c == '$') return Dollar();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number();
    if (IsNameStart(c)) {
      while (at_ < end_ && IsName(*at_)) Put(*at_++);
      return;
    }
    Put(*at_++);
  }

  void Blank() {
    while (at_ < end_) {
      if (IsSpace(*at_)) {
        ++at_;
      } else if (*at_ == '-' && Peek(1) == '-') {
        while (at_ < end_ && *at_ != '\n') ++at_;
      } else if (*at_ == '/' && Peek(1) == '*') {
        int depth = 0;
        do {
          if (*at_ == '/' && Peek(1) == '*') {
            ++depth;
            at_ += 2;
          } else if (*at_ == '*' && Peek(1) == '/') {
            --depth;
            at_ += 2;
          } else {
            ++at_;
          }
        } while (at_ < end_ && depth > 0);
      } else {
        break;
      }
    }
    if (used_ > 0 && out_[used_ - 1] != ' ') Put(' ');
  }

  void Quoted(bool backslash) {
    ++at_;
    while (at_ < end_) {
      if (backslash && *at_ == '\\') {
        at_ += 2;
      } else if (*at_ == '\'' && Peek(1) == '\'') {
        at_ += 2;
      } else if (*at_++ == '\'') {
        break;
      }
    }
    if (at_ > end_) at_ = end_;
    PutParameter();
  }

  void Identifier() {
    Put(*at_++);
    while (at_ < end_) {
      char c = *at_++;
      Put(c);
      if (c == '"') break;
    }
  }

  void Dollar() {
    if (IsDigit(Peek(1))) {
      Put(*at_++);
      while (at_ < end_ && IsDigit(*at_)) Put(*at_++);
      return;
    }
    const char* tag_end = at_ + 1;
    while (tag_end < end_ && IsName(*tag_end) && *tag_end != '$') ++tag_end;
    if (tag_end >= end_ || *tag_end != '$') {
      Put(*at_++);
      return;
    }
    size_t tag = static_cast<size_t>(tag_end + 1 - at_);
    const char* p = tag_end + 1;
    while (p + tag <= end_ && std::memcmp(p, at_, tag) != 0) ++p;
    at_ = p + tag <= end_ ? p + tag : end_;
    PutParameter();
  }

  void Number() {
    while (at_ < end_ && (IsName(*at_) || *at_ == '.')) {
      bool exponent = *at_ == 'e' || *at_ == 'E';
      ++at_;
      if (exponent && at_ < end_ && (*at_ == '+' || *at_ == '-') && IsDigit(Peek(1))) ++at_;
    }
    PutParameter();
  }

  const char* at_;
  const char* const end_;
  char* const out_;
  const size_t room_;
  size_t used_ = 0;
  int parameter_ = 0;
};

}  // namespace

size_t NormaliseStatement(const char* text, size_t length, char* out, size_t capacity) {
  return Normaliser(text, length, out, capacity).Run();
}

}  // namespace query_shaper
