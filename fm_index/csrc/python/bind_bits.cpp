// fill_bits(): lists of tokens as bitmasks, one row of words for each row that asks.
#include <cstring>

#include "bind.hpp"

namespace fm {
namespace {

constexpr u64 kBits = 32;

struct Masks {
    u32* words;
    u64 rows, width;
};

Masks masks_argument(py::array& out) {
    if (!py::isinstance<py::array_t<i32, py::array::c_style>>(out) || out.ndim() != 2 || !out.writeable())
        throw py::type_error("out: expected a writeable contiguous int32 array of two dimensions.");
    return {static_cast<u32*>(out.mutable_data()), u64(out.shape(0)), u64(out.shape(1))};
}

void check_lists(const Span<i64>& offsets, const Span<i64>& tokens, u64 width) {
    bool fits = offsets.size > 0 && offsets[0] == 0 && u64(offsets[offsets.size - 1]) == tokens.size;
    for (u64 i = 1; fits && i < offsets.size; ++i) fits = offsets[i] >= offsets[i - 1];
    if (!fits) throw py::value_error("offsets: expected to ascend from 0 to the number of tokens.");
    u64 most = 0;
    for (u64 i = 0; i < tokens.size; ++i) most = std::max(most, u64(tokens[i]));
    if (tokens.size && most >= width * kBits)
        throw py::value_error("tokens: expected 0 to " + std::to_string(width * kBits - 1) + ".");
}

// Row i of `out` has the bits of list `lists[i]` and no others. A list that comes again is copied from where it came first.
void fill(const py::array& offsets, const py::array& tokens, const py::array& lists, py::array& out) {
    const Span<i64> bounds = vector_argument<i64>(offsets, "offsets"), values = vector_argument<i64>(tokens, "tokens"),
                    wanted = vector_argument<i64>(lists, "lists");
    const Masks masks = masks_argument(out);
    same_length(masks.rows, wanted.size, "lists");
    check_lists(bounds, values, masks.width);
    for (u64 i = 0; i < wanted.size; ++i)
        if (wanted[i] < 0 || u64(wanted[i]) + 1 >= bounds.size)
            throw py::value_error("lists[" + std::to_string(i) + "]: expected 0 to " +
                                  std::to_string(i64(bounds.size) - 2) + ", found " + std::to_string(wanted[i]) + ".");
    py::gil_scoped_release unlocked;
    std::vector<const u32*> first(bounds.size - 1, nullptr);
    for (u64 i = 0; i < wanted.size; ++i) {
        u32* row = masks.words + i * masks.width;
        const u64 list = u64(wanted[i]);
        if (first[list]) {
            std::memcpy(row, first[list], masks.width * sizeof(u32));
            continue;
        }
        std::memset(row, 0, masks.width * sizeof(u32));
        for (i64 at = bounds[list]; at < bounds[list + 1]; ++at)
            row[u64(values[u64(at)]) / kBits] |= u32{1} << (u64(values[u64(at)]) % kBits);
        first[list] = row;
    }
}

}  // namespace

void bind_bits(py::module_& module) {
    module.def("fill_bits", &fill, py::arg("offsets"), py::arg("tokens"), py::arg("lists"), py::arg("out"));
}

}  // namespace fm
