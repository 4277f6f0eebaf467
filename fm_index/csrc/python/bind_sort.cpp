// sort_prefixes(), for tests and benchmarks: the order of positions that an index is built from.
#include "bind.hpp"
#include "building/suffix_sort.hpp"

namespace fm {
namespace {

template <class Symbol, class Index>
py::array_t<Index> sorted(const Span<Symbol>& text, bool direct) {
    u64 tokens = 0, symbols = 1;
    if (text.size < 1 || text[0] != 0 || text[text.size - 1] != 0)
        throw py::value_error("text: expected 0 at both ends.");
    for (u64 p = 0; p < text.size; ++p) {
        tokens += text[p] != 0;
        symbols = std::max(symbols, u64(text[p]) + 1);
    }
    if (symbols > 64 * text.size + 65536) throw py::value_error("text: expected symbols 0 ... about the text's length.");
    Buffer<Index> order(tokens);
    {
        py::gil_scoped_release unlocked;
        sort_prefixes<Symbol, Index>(text.data, text.size - 1, symbols, order.data(), Progress(), direct);
    }
    return give(std::move(order));
}

py::array sort(const py::array& text, bool wide, bool direct) {
    if (py::isinstance<py::array_t<u16>>(text)) {
        const Span<u16> span = vector_argument<u16>(text, "text");
        if (wide) return sorted<u16, i64>(span, direct);
        return sorted<u16, i32>(span, direct);
    }
    const Span<u32> span = vector_argument<u32>(text, "text");
    if (wide) return sorted<u32, i64>(span, direct);
    return sorted<u32, i32>(span, direct);
}

}  // namespace

void bind_sort(py::module_& module) {
    module.def("sort_prefixes", &sort, py::arg("text"), py::arg("wide") = false, py::arg("direct") = true);
}

}  // namespace fm
