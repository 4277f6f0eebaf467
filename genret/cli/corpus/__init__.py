"""Commands over corpora and what is made of them: conversion, docids, indexes, vectors, training data."""
