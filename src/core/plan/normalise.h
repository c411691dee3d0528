// Statement text with its constants replaced by $n, for storing: what a user compared with must not be kept.
#pragma once
#include <cstddef>

namespace query_shaper {

// Writes at most capacity - 1 bytes and a terminating zero; returns the length. Literals (numbers, strings of all
// kinds, dollar quotes, bit strings) become $1, $2 ... counted from the highest parameter already in the text; comments
// are dropped, runs of white space become one blank. No allocation, never fails: an unterminated literal ends with the
// text. The cut may split a multibyte character: the caller clips.
size_t NormaliseStatement(const char* text, size_t length, char* out, size_t capacity);

}  // namespace query_shaper
