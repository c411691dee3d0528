// What kind of sequence the blocks are that a scan comes to.
//
// Judged over the last kWindow distinct steps:
//   sequential  nearly every block of the passed stretch, without jumps: the kernel's own readahead does best
//   strided     one step dominates, or a short sequence of steps repeats
//   clustered   runs and neighbourhoods with jumps between them
//   cyclic      the same blocks come again in the same order
//   random      none of these
#pragma once
#include <cstdint>
#include <type_traits>

namespace query_shaper {

enum class Pattern : uint8_t { kUnknown = 0, kSequential, kStrided, kClustered, kCyclic, kRandom };
constexpr int kPatterns = 6;

// "sequential" and so on; "unknown".
const char* PatternName(Pattern pattern);
// kUnknown for any other text.
Pattern PatternOf(const char* name);

constexpr int kWindow = 64;
constexpr int kWindowLeast = 16;      // steps before which nothing is said
constexpr uint32_t kNearBlocks = 16;  // 128 kB, the kernel's default readahead
constexpr uint32_t kNoBlockYet = 0xFFFFFFFF;

struct AccessWindow {
  uint32_t blocks[kWindow];
  uint32_t last = kNoBlockYet;
  int32_t filled = 0;
  int32_t next = 0;
  int32_t since_judged = 0;
  Pattern judged = Pattern::kUnknown;
  float run_blocks = 1;  // mean length of the runs in the window, holes of kNearBlocks included when clustered
};
static_assert(std::is_trivially_copyable_v<AccessWindow>);

// A block equal to the one before is no step. Judges anew from time to time: about 20 ns on average.
void NoteStep(AccessWindow* window, uint32_t block);

// As last judged by NoteStep().
inline Pattern JudgedPattern(const AccessWindow& window) { return window.judged; }

// Shortest mean run without jumps that the kernel's readahead window grows on.
constexpr int kRunForKernel = 16;

// A step so long that it leaves what the kernel has read ahead.
inline bool IsJump(uint32_t from, uint32_t to) { return (from < to ? to - from : from - to) > kNearBlocks; }

// Whether blocks come nearly in order, and upwards, as the kernel's readahead likes it: judged of those that one page
// of an index leads to, in their order, none equal to the one before. Of a few it says so unless they speak against it.
bool ComeInOrder(const uint32_t* blocks, int count);
constexpr int kJudgedBlocks = 256;  // count at most

// Whether to leave the reading ahead to the kernel: requests of ours would only displace its own.
inline bool KernelReadsAhead(const AccessWindow& window) { return window.judged == Pattern::kSequential; }

}  // namespace query_shaper
