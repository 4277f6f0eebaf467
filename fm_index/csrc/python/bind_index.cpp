// The class Index, as Python sees it.
#include "bound_index.hpp"

namespace fm {

void bind_index(py::module_& module) {
    py::class_<BoundIndex>(module, "Index")
        .def(py::init<const py::dict&, u64, u64, bool, bool>(), py::arg("arrays"), py::arg("documents"),
             py::arg("vocab_size"), py::arg("compact"), py::arg("baseline") = false)
        .def_property("threads", &BoundIndex::threads, &BoundIndex::set_threads)
        .def_property_readonly("rows", &BoundIndex::rows)
        .def("check", &BoundIndex::check)
        .def("step", &BoundIndex::step, py::arg("lo"), py::arg("hi"), py::arg("tokens"))
        .def("children", &BoundIndex::children, py::arg("lo"), py::arg("hi"), py::arg("tokens"), py::arg("counts"))
        .def("successors", &BoundIndex::successors, py::arg("lo"), py::arg("hi"))
        .def("top_successors", &BoundIndex::top_successors, py::arg("lo"), py::arg("hi"), py::arg("scores"), py::arg("k"))
        .def("locate", &BoundIndex::locate, py::arg("rows"), py::arg("positions"), py::arg("documents"))
        .def("documents", &BoundIndex::documents, py::arg("lo"), py::arg("hi"), py::arg("limit"), py::arg("count"))
        .def("extract", &BoundIndex::extract, py::arg("documents"));
}

}  // namespace fm
