// The hot loops for every machine, and the choice between them and the faster ones.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "engine.hpp"

#define FM_ARCH base
#include "engines.inc"

namespace fm {

#if defined(FM_TWO_KINDS)
namespace v3 {
std::unique_ptr<Engine> make_16(const Arrays<u16>&, const std::vector<Postings>&, bool);
std::unique_ptr<Engine> make_32(const Arrays<u32>&, const std::vector<Postings>&, bool);
}  // namespace v3
static bool has_v3() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
}
#else
namespace v3 = base;
static bool has_v3() { return false; }
#endif

template <>
std::unique_ptr<Engine> make_engine(const Arrays<u16>& arrays, const std::vector<Postings>& postings,
                                    bool compact, bool baseline) {
    return !baseline && has_v3() ? v3::make_16(arrays, postings, compact) : base::make_16(arrays, postings, compact);
}

template <>
std::unique_ptr<Engine> make_engine(const Arrays<u32>& arrays, const std::vector<Postings>& postings,
                                    bool compact, bool baseline) {
    return !baseline && has_v3() ? v3::make_32(arrays, postings, compact) : base::make_32(arrays, postings, compact);
}

}  // namespace fm
