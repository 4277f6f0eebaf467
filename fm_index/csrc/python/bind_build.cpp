// build(): tokens and offsets in, the arrays of an index out.
#include "bind.hpp"
#include "building/builder.hpp"

namespace fm {
namespace {

template <class Symbol>
py::dict to_dict(Built<Symbol> built, const py::array& offsets, bool compact) {
    py::dict arrays;
    arrays["text"] = give(std::move(built.text));
    arrays["offsets"] = offsets;
    arrays["alphabet"] = give(std::move(built.alphabet));
    arrays["first_row"] = give(std::move(built.first_row));
    arrays["ends"] = give(std::move(built.ends));
    arrays["hints"] = give(std::move(built.hints));
    arrays["marks"] = give(std::move(built.samples.marks));
    arrays["samples"] = give(std::move(built.samples.values));
    arrays["wide_rows"] = give(std::move(built.wide.rows));
    arrays["wide_offsets"] = give(std::move(built.wide.offsets));
    arrays["wide_symbols"] = give(std::move(built.wide.symbols));
    arrays["wide_counts"] = give(std::move(built.wide.counts));
    if (compact) {
        arrays["wavelet"] = give(std::move(built.wavelet));
    } else {
        arrays["bwt"] = give(std::move(built.bwt));
        arrays["directory"] = give(std::move(built.postings.directory));
        arrays["postings"] = give(std::move(built.postings.stream));
    }
    return arrays;
}

void check_offsets(const Span<i64>& offsets, u64 tokens) {
    if (offsets.size == 0) throw py::value_error("offsets: expected at least one entry, found none.");
    if (offsets[0] != 0) throw py::value_error("offsets: expected the first to be 0, found " + std::to_string(offsets[0]) + ".");
    for (u64 i = 1; i < offsets.size; ++i)
        if (offsets[i] < offsets[i - 1])
            throw py::value_error("offsets[" + std::to_string(i) + "]: expected ascending offsets, found " +
                                  std::to_string(offsets[i]) + " after " + std::to_string(offsets[i - 1]) + ".");
    const i64 last = offsets[offsets.size - 1];
    if (last < 0 || u64(last) != tokens)
        throw py::value_error("offsets: expected the last to be the number of tokens, " + std::to_string(tokens) +
                              ", found " + std::to_string(last) + ".");
    if (offsets.size - 1 > UINT32_MAX) throw py::value_error("offsets: there are more than 4,294,967,295 documents.");
}

template <class Token>
u64 largest_token(const Span<Token>& tokens) {
    u64 largest = 0;
    for (u64 i = 0; i < tokens.size; ++i) {
        if (i64(tokens[i]) < 0 || u64(tokens[i]) > u64(INT32_MAX))
            throw py::value_error("tokens[" + std::to_string(i) + "]: expected a token in [0, 2^31), found " +
                                  std::to_string(tokens[i]) + ".");
        largest = std::max(largest, u64(tokens[i]));
    }
    return largest;
}

template <class Token>
py::dict build_from(const Span<Token>& tokens, const py::array& offsets, i64 vocab_size, bool compact,
                    const py::object& callback) {
    const Span<i64> bounds = vector_argument<i64>(offsets, "offsets");
    check_offsets(bounds, tokens.size);
    const u64 largest = largest_token(tokens);
    if (tokens.size && i64(largest) >= vocab_size)
        throw py::value_error("tokens: expected all below vocab_size " + std::to_string(vocab_size) + ", found " +
                              std::to_string(largest) + ".");
    const Progress progress = progress_to(callback);
    Built<u16> narrow;
    Built<u32> wide;
    bool is_wide;
    {
        py::gil_scoped_release unlocked;
        const Alphabet alphabet = Alphabet::of(tokens.data, tokens.size, largest);
        is_wide = alphabet.tokens().size() >= 65535;
        if (is_wide) {
            wide = Builder<u32>(bounds.data, bounds.size - 1, compact, progress).run(tokens.data, alphabet);
        } else {
            narrow = Builder<u16>(bounds.data, bounds.size - 1, compact, progress).run(tokens.data, alphabet);
        }
    }
    return is_wide ? to_dict(std::move(wide), offsets, compact) : to_dict(std::move(narrow), offsets, compact);
}

py::dict build(const py::array& tokens, const py::array& offsets, i64 vocab_size, bool compact,
               const py::object& progress) {
    if (py::isinstance<py::array_t<u16>>(tokens))
        return build_from(vector_argument<u16>(tokens, "tokens"), offsets, vocab_size, compact, progress);
    if (py::isinstance<py::array_t<i32>>(tokens))
        return build_from(vector_argument<i32>(tokens, "tokens"), offsets, vocab_size, compact, progress);
    return build_from(vector_argument<i64>(tokens, "tokens"), offsets, vocab_size, compact, progress);
}

}  // namespace

void bind_build(py::module_& module) {
    module.def("build", &build, py::arg("tokens"), py::arg("offsets"), py::arg("vocab_size"), py::arg("compact"),
               py::arg("progress"));
}

}  // namespace fm
