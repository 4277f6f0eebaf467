// rank_in_large(), for tests: the arithmetic of positions that no test machine has the memory to index.
#include "bind.hpp"
#include "building/build_postings.hpp"
#include "engine.hpp"

namespace fm {
namespace {

// How many of the ascending `occurrences` of one symbol, among `rows` rows, lie before each of `queries`.
py::array_t<i64> rank_in_large(i64 rows, const py::array& occurrences, const py::array& queries, bool baseline) {
    const Span<i64> held = vector_argument<i64>(occurrences, "occurrences"), asked = vector_argument<i64>(queries, "queries");
    if (rows < 1 || u64(rows) >= kMaxRows) throw py::value_error("rows: expected 1 to 2^40.");
    for (u64 i = 0; i < held.size; ++i)
        if (held[i] < (i ? held[i - 1] + 1 : 0) || held[i] >= rows) throw py::value_error("occurrences: expected ascending rows.");
    for (u64 i = 0; i < asked.size; ++i)
        if (asked[i] < 0 || asked[i] > rows) throw py::value_error("queries: expected 0 to rows.");
    const std::vector<u64> first_row{0, 0, held.size};
    const Span<u64> symbols{first_row.data(), first_row.size()};
    const std::vector<Postings> postings = postings_of(symbols, u64(rows));
    const StoredPostings stored = PostingsWriter<u16>(Span<u16>{}, postings).run_on(1, held);
    Arrays<u16> arrays;
    arrays.rows = u64(rows);
    arrays.symbols = 2;
    arrays.first_row = symbols;
    arrays.directory = stored.directory.span();
    arrays.postings = stored.stream.span();
    const std::unique_ptr<Engine> engine = make_engine(arrays, postings, false, baseline);
    py::array_t<i64> out(py::ssize_t(asked.size));
    for (u64 i = 0; i < asked.size; ++i) out.mutable_data()[i] = i64(engine->rank(1, u64(asked[i])));
    return out;
}

}  // namespace

void bind_probe(py::module_& module) {
    module.def("rank_in_large", &rank_in_large, py::arg("rows"), py::arg("occurrences"), py::arg("queries"),
               py::arg("baseline") = false);
}

}  // namespace fm
