// The extension module: what Python sees is listed in docid/_core.pyi. Every argument is checked before it is read.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <exception>
#include <functional>
#include <string>
#include <thread>

#include "best.hpp"
#include "scoring.hpp"

namespace py = pybind11;

namespace docid {

static py::value_error wrong(const std::string& what) { return py::value_error(what + "."); }

template <class T>
static py::array_t<T, py::array::c_style> checked(const py::array& array, const char* name, int dimensions) {
    if (!py::isinstance<py::array_t<T, py::array::c_style>>(array) || array.ndim() != dimensions)
        throw py::type_error(std::string(name) + ": expected a contiguous array of " + std::to_string(dimensions) +
                             " dimensions and of " + std::string(py::str(py::dtype::of<T>())) + ".");
    return py::reinterpret_borrow<py::array_t<T, py::array::c_style>>(array);
}

// Documents that are worth a thread.
static constexpr i64 kShare = 4096;

// work(begin, end) over `count` things, in `threads` shares of at least `least`; the first error of a share is thrown
// here.
static void in_shares(i64 count, i64 threads, i64 least, const std::function<void(i64, i64)>& work) {
    const i64 shares = std::max<i64>(1, std::min(threads, count / least));
    std::vector<std::exception_ptr> errors{std::size_t(shares)};
    std::vector<std::thread> others;
    const auto share = [&](i64 number) {
        try {
            work(count * number / shares, count * (number + 1) / shares);
        } catch (...) {
            errors[std::size_t(number)] = std::current_exception();
        }
    };
    for (i64 number = 1; number < shares; ++number) others.emplace_back(share, number);
    share(0);
    for (std::thread& other : others) other.join();
    for (const std::exception_ptr& error : errors)
        if (error) std::rethrow_exception(error);
}

static void check_threads(i64 threads) {
    if (threads < 1 || threads > 1024)
        throw wrong("threads: expected 1 to 1024, found " + std::to_string(threads));
}

template <class Code>
static void sum_codes_of(const py::array& codes, const py::array& tables, const py::array& out, i64 threads) {
    const auto stored = checked<Code>(codes, "codes", 2);
    const auto values = checked<float>(tables, "tables", 3);
    auto sums = checked<float>(out, "out", 2);
    const Codes<Code> all{stored.data(), stored.shape(0), stored.shape(1)};
    const Tables logits{values.data(), values.shape(0), values.shape(1), values.shape(2)};
    if (logits.levels != all.levels)
        throw wrong("tables: expected a table for each of " + std::to_string(all.levels) + " levels, found " +
                    std::to_string(logits.levels));
    if (sums.shape(0) != logits.queries || sums.shape(1) != all.documents)
        throw wrong("out: expected a row for each query and a column for each document");
    float* to = sums.mutable_data();
    py::gil_scoped_release unlocked;
    in_shares(all.documents, threads, kShare, [&](i64 begin, i64 end) { sum_codes(all, logits, begin, end, to); });
}

static void sum_all_codes(const py::array& codes, i64 width, const py::array& tables, const py::array& out,
                          i64 threads) {
    check_threads(threads);
    if (tables.ndim() == 3 && tables.shape(2) < width)
        throw wrong("tables: expected " + std::to_string(width) + " columns, a code each, found " +
                    std::to_string(tables.shape(2)));
    if (py::isinstance<py::array_t<u8>>(codes)) return sum_codes_of<u8>(codes, tables, out, threads);
    sum_codes_of<u16>(codes, tables, out, threads);
}

static void score_words(const py::array& offsets, const py::array& postings, const py::array& shares,
                        const py::array& query_offsets, const py::array& tokens, const py::array& weights,
                        const py::array& out, i64 threads) {
    check_threads(threads);
    const auto starts = checked<i64>(offsets, "offsets", 1);
    const auto held = checked<u32>(postings, "postings", 1);
    const auto levels = checked<float>(shares, "shares", 1);
    const auto firsts = checked<i64>(query_offsets, "query_offsets", 1);
    const auto asked = checked<i64>(tokens, "tokens", 1);
    const auto worth = checked<float>(weights, "weights", 1);
    auto sums = checked<float>(out, "out", 2);
    const i64 vocabulary = starts.shape(0) - 1, queries = firsts.shape(0) - 1, count = sums.shape(1);
    if (vocabulary < 0 || queries != sums.shape(0)) throw wrong("out: expected a row for each query");
    if (levels.shape(0) != i64(kLevelCount))
        throw wrong("shares: expected " + std::to_string(kLevelCount) + ", one a level, found " +
                    std::to_string(levels.shape(0)));
    if (asked.shape(0) != worth.shape(0)) throw wrong("weights: expected one for each token");
    for (i64 q = 0; q < queries; ++q)
        if (firsts.at(q) < 0 || firsts.at(q) > firsts.at(q + 1) || firsts.at(q + 1) > asked.shape(0))
            throw wrong("query_offsets: expected ascending places among the tokens");
    for (i64 entry = 0; entry < asked.shape(0); ++entry) {
        const i64 token = asked.at(entry);
        if (token < 0 || token >= vocabulary)
            throw wrong("tokens[" + std::to_string(entry) + "]: expected 0 to " + std::to_string(vocabulary - 1) +
                        ", found " + std::to_string(token));
        // Of the postings only those that are read are looked at, so that a query costs what it touches.
        const i64 from = starts.at(token), to = starts.at(token + 1);
        if (from < 0 || from > to || to > held.shape(0))
            throw wrong("offsets: the postings of token " + std::to_string(token) + " lie outside of all postings");
        if (to > from && i64(held.at(to - 1) >> kLevelBits) >= count)
            throw wrong("postings: token " + std::to_string(token) + " leads to document " +
                        std::to_string(held.at(to - 1) >> kLevelBits) + " of " + std::to_string(count));
    }
    const Postings all{starts.data(), held.data()};
    const Weighted query{firsts.data(), asked.data(), worth.data(), levels.data()};
    float* to = sums.mutable_data();
    py::gil_scoped_release unlocked;
    in_shares(count, threads, kShare,
              [&](i64 begin, i64 end) { add_words(all, query, queries, count, begin, end, to); });
}

static py::tuple best(const py::array& scores, i64 k, const py::object& legal) {
    const auto values = checked<float>(scores, "scores", 1);
    if (k < 1) throw wrong("k: expected at least 1, found " + std::to_string(k));
    const u8* allowed = nullptr;
    py::array_t<u8, py::array::c_style> mask;
    if (!legal.is_none()) {
        mask = checked<u8>(legal.cast<py::array>(), "legal", 1);
        if (mask.shape(0) != values.shape(0)) throw wrong("legal: expected one for each document");
        allowed = mask.data();
    }
    std::vector<i64> found;
    {
        const i64 documents = values.shape(0);
        const float* data = values.data();
        py::gil_scoped_release unlocked;
        found = best_documents(data, allowed, documents, std::min(k, std::max<i64>(documents, 1)));
    }
    py::array_t<i64> documents(py::ssize_t(found.size()));
    py::array_t<float> kept(py::ssize_t(found.size()));
    for (std::size_t place = 0; place < found.size(); ++place) {
        documents.mutable_at(py::ssize_t(place)) = found[place];
        kept.mutable_at(py::ssize_t(place)) = values.at(found[place]);
    }
    return py::make_tuple(documents, kept);
}

// Python's class Places: the arrays are checked once and copied, so that nothing changes them afterwards.
class BoundPlaces {
public:
    BoundPlaces(const py::array& leaf_of, const py::array& parents, i64 nodes)
        : places_(copied(leaf_of, "leaf_of"), copied(parents, "parents"), nodes) {
        const auto leaves = checked<u32>(leaf_of, "leaf_of", 1), above = checked<u32>(parents, "parents", 1);
        const i64 count = above.shape(0);
        if (nodes < 1 || nodes > count || count >= i64(Places::kNone))
            throw wrong("nodes: expected 1 to " + std::to_string(count) + ", found " + std::to_string(nodes));
        for (i64 place = 1; place < count; ++place)
            if (i64(above.at(place)) >= std::min(place, nodes))
                throw wrong("parents[" + std::to_string(place) + "]: expected a node before it, found " +
                            std::to_string(above.at(place)));
        for (i64 d = 0; d < leaves.shape(0); ++d)
            if (leaves.at(d) != Places::kNone && i64(leaves.at(d)) >= count - nodes)
                throw wrong("leaf_of[" + std::to_string(d) + "]: expected one of " + std::to_string(count - nodes) +
                            " leaves, found " + std::to_string(leaves.at(d)));
    }

    void best_below(const py::array& scores, const py::array& out, i64 threads) const {
        check_threads(threads);
        const auto values = checked<float>(scores, "scores", 2);
        auto best = checked<float>(out, "out", 2);
        const i64 queries = values.shape(0), documents = places_.documents(), places = places_.places();
        if (values.shape(1) != documents)
            throw wrong("scores: expected a column for each of " + std::to_string(documents) + " documents, found " +
                        std::to_string(values.shape(1)));
        if (best.shape(0) != queries || best.shape(1) != places)
            throw wrong("out: expected a row for each query and a column for each place");
        const float* from = values.data();
        float* to = best.mutable_data();
        py::gil_scoped_release unlocked;
        in_shares(queries, threads, 1, [&](i64 begin, i64 end) {
            for (i64 query = begin; query < end; ++query)
                places_.best_below(from + query * documents, to + query * places);
        });
    }

private:
    static std::vector<u32> copied(const py::array& array, const char* name) {
        const auto values = checked<u32>(array, name, 1);
        return {values.data(), values.data() + values.shape(0)};
    }

    Places places_;
};

}  // namespace docid

PYBIND11_MODULE(_core, module) {
    module.doc() = "Native core of docid: what a query gives to all documents at once; every argument checked.";
    module.def("sum_codes", &docid::sum_all_codes, py::arg("codes"), py::arg("width"), py::arg("tables"),
               py::arg("out"), py::arg("threads"));
    module.def("score_words", &docid::score_words, py::arg("offsets"), py::arg("postings"), py::arg("shares"),
               py::arg("query_offsets"), py::arg("tokens"), py::arg("weights"), py::arg("out"), py::arg("threads"));
    module.def("best", &docid::best, py::arg("scores"), py::arg("k"), py::arg("legal"));
    py::class_<docid::BoundPlaces>(module, "Places")
        .def(py::init<const py::array&, const py::array&, docid::i64>(), py::arg("leaf_of"), py::arg("parents"),
             py::arg("nodes"))
        .def("best_below", &docid::BoundPlaces::best_below, py::arg("scores"), py::arg("out"), py::arg("threads"));
}
