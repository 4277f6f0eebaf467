// An interface to sdsl-lite's csa_wt_int that returns Python lists, as SEAL's SWIG one does. Measurement only:
// sdsl is GPL, and nothing of it is built into or shipped with the project.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <sdsl/suffix_arrays.hpp>
#include <sdsl/wavelet_trees.hpp>

namespace py = pybind11;
using Csa = sdsl::csa_wt_int<>;

class Peer {
public:
    // symbols: the reversed text, all at least 1.
    explicit Peer(const py::array_t<std::uint32_t, py::array::c_style>& symbols) {
        sdsl::int_vector<> text(std::size_t(symbols.size()), 0, 32);
        for (std::size_t i = 0; i < text.size(); ++i) text[i] = symbols.data()[i];
        sdsl::construct_im(csa_, text, 0);
    }

    std::pair<std::size_t, std::size_t> range(const std::vector<std::uint64_t>& symbols) const {
        std::size_t lo = 0, hi = csa_.size() - 1;
        for (std::uint64_t symbol : symbols) sdsl::backward_search(csa_, lo, hi, symbol, lo, hi);
        return {lo, hi + 1};
    }

    std::vector<std::vector<std::uint64_t>> successors(const std::vector<std::uint64_t>& lo,
                                                       const std::vector<std::uint64_t>& hi) const {
        std::vector<std::vector<std::uint64_t>> out;
        for (std::size_t b = 0; b < lo.size(); ++b) {
            std::size_t count = 0;
            std::vector<Csa::value_type> symbols(csa_.sigma);
            std::vector<std::uint64_t> from(csa_.sigma), to(csa_.sigma), tokens, counts;
            sdsl::interval_symbols(csa_.wavelet_tree, lo[b], hi[b], count, symbols, from, to);
            for (std::size_t i = 0; i < count; ++i) tokens.push_back(symbols[i]), counts.push_back(to[i] - from[i]);
            out.push_back(std::move(tokens));
            out.push_back(std::move(counts));
        }
        return out;
    }

private:
    Csa csa_;
};

PYBIND11_MODULE(peer_module, module) {
    py::class_<Peer>(module, "Peer")
        .def(py::init<const py::array_t<std::uint32_t, py::array::c_style>&>())
        .def("range", &Peer::range)
        .def("successors", &Peer::successors);
}
