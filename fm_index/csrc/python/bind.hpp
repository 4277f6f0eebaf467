// What the bindings share: checking arguments, and giving memory to numpy.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "buffer.hpp"
#include "progress.hpp"
#include "workers.hpp"

namespace fm {

namespace py = pybind11;

// A one-dimensional contiguous array of exactly T, or TypeError / ValueError that names the argument.
template <class T>
Span<T> vector_argument(const py::array& array, const char* name) {
    if (!py::isinstance<py::array_t<T>>(array))
        throw py::type_error(std::string(name) + ": expected " + std::string(py::str(py::dtype::of<T>())) +
                             ", found " + std::string(py::str(array.dtype())) + ".");
    if (array.ndim() != 1)
        throw py::value_error(std::string(name) + ": expected one dimension, found " + std::to_string(array.ndim()) + ".");
    if (array.shape(0) > 1 && array.strides(0) != py::ssize_t(sizeof(T)))
        throw py::value_error(std::string(name) + ": expected a contiguous array.");
    if (reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) != 0)
        throw py::value_error(std::string(name) + ": expected an aligned array.");
    return {static_cast<const T*>(array.data()), u64(array.shape(0))};
}

inline void same_length(u64 expected, u64 found, const char* name) {
    if (expected != found)
        throw py::value_error(std::string(name) + ": expected length " + std::to_string(expected) + ", found " +
                              std::to_string(found) + ".");
}

// numpy owns the memory from here on.
template <class T>
py::array_t<T> give(Buffer<T> buffer) {
    const u64 size = buffer.size();
    T* data = buffer.release();
    return py::array_t<T>(py::ssize_t(size), data, py::capsule(data, [](void* at) { std::free(at); }));
}

template <class T>
py::array_t<T> give(std::vector<T> values) {
    auto* kept = new std::vector<T>(std::move(values));
    py::capsule owner(kept, [](void* at) { delete static_cast<std::vector<T>*>(at); });
    return py::array_t<T>(py::ssize_t(kept->size()), kept->data(), owner);
}

// The first `size` entries of a block that goes back to its pool with the array.
template <class T>
py::array_t<T> give(const std::shared_ptr<Blocks>& blocks, Blocks::Block block, u64 size) {
    struct Kept {
        std::shared_ptr<Blocks> blocks;
        Blocks::Block block;
    };
    auto* kept = new Kept{blocks, std::move(block)};
    py::capsule owner(kept, [](void* at) {
        auto* kept = static_cast<Kept*>(at);
        kept->blocks->give(std::move(kept->block));
        delete kept;
    });
    return py::array_t<T>(py::ssize_t(size), reinterpret_cast<T*>(kept->block.data.get()), owner);
}

// Calls back into Python with the lock held; an exception there, or a signal, cancels the work.
inline Progress progress_to(const py::object& callback) {
    // Shared, so that a copy made without the lock leaves Python's count alone.
    const auto kept = std::make_shared<py::object>(callback);
    return Progress([kept](const char* stage, double fraction) {
        py::gil_scoped_acquire lock;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (!kept->is_none()) (*kept)(stage, fraction);
    });
}

void bind_bits(py::module_& module);
void bind_build(py::module_& module);
void bind_index(py::module_& module);
void bind_probe(py::module_& module);
void bind_scorer(py::module_& module);
void bind_shards(py::module_& module);
void bind_sort(py::module_& module);

}  // namespace fm
