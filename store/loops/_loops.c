/* The loops of an answer that numpy could only walk in many passes, each of them a miss in a cold cache.

   Flat arrays in, flat arrays out, made by the caller (compiled.py); plain.py says in numpy what each of them means, and
   tests/test_loops.py holds the two against each other. Every index that comes from data is checked: a wrong number is an
   IndexError, never a read outside of an array. Only Python's stable ABI is used: one build serves every later Python. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int32_t i32;
typedef int64_t i64;

/* ---- arguments */

#define MOST_BUFFERS 16

typedef struct {
    Py_buffer held[MOST_BUFFERS];
    int count;
} Buffers;

static void let_go(Buffers *buffers) {
    while (buffers->count) PyBuffer_Release(&buffers->held[--buffers->count]);
}

/* The array's cells and their number; NULL with an exception where it is no contiguous array of `kind`. */
static void *cells(Buffers *buffers, PyObject *array, char kind, int writable, Py_ssize_t *length) {
    if (buffers->count == MOST_BUFFERS) {
        PyErr_SetString(PyExc_SystemError, "too many arrays");
        return NULL;
    }
    Py_buffer *view = &buffers->held[buffers->count];
    if (PyObject_GetBuffer(array, view, (writable ? PyBUF_WRITABLE : 0) | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
        return NULL;
    buffers->count++;
    const char *format = view->format ? view->format : "B";
    char told = format[strlen(format) - 1];
    int fits = told == kind || (kind == 'q' && told == 'l' && view->itemsize == 8) ||
               (kind == 'i' && told == 'l' && view->itemsize == 4);
    if (!fits) {
        PyErr_Format(PyExc_TypeError, "an array of '%c' is needed, got one of '%s'", kind, format);
        return NULL;
    }
    *length = view->itemsize ? view->len / view->itemsize : 0;
    /* An array of nothing may have no memory at all. */
    return view->buf ? view->buf : (void *)buffers;
}

#define TAKE(name, type, kind, writable, place)                                                  \
    Py_ssize_t name##_length = 0;                                                                \
    type *name = cells(&buffers, args[place], kind, writable, &name##_length);                   \
    if (!name) goto failed

#define NEED(arguments)                                                                            \
    Buffers buffers = {.count = 0};                                                              \
    PyObject *answer = NULL;                                                                     \
    void *scratch = NULL;                                                                        \
    if (given != (arguments)) {                                                                  \
        PyErr_Format(PyExc_TypeError, "%d arguments are needed, got %zd", (arguments), given);       \
        goto failed;                                                                             \
    }

#define FIT(condition, message)                                                                  \
    if (!(condition)) {                                                                          \
        PyErr_SetString(PyExc_ValueError, message);                                              \
        goto failed;                                                                             \
    }

#define BOUND(number, size)                                                                      \
    if ((number) < 0 || (number) >= (size)) {                                                    \
        PyErr_Format(PyExc_IndexError, "number %lld is outside 0..%lld", (long long)(number),    \
                     (long long)(size) - 1);                                                     \
        goto failed;                                                                             \
    }

#define SCRATCH(type, name, count)                                                               \
    scratch = PyMem_Malloc(sizeof(type) * (size_t)((count) > 0 ? (count) : 1));                  \
    if (!scratch) {                                                                              \
        PyErr_NoMemory();                                                                        \
        goto failed;                                                                             \
    }                                                                                            \
    type *name = scratch

#define END                                                                                      \
    failed:                                                                                      \
    PyMem_Free(scratch);                                                                         \
    let_go(&buffers);                                                                            \
    return answer

/* ---- the best few of many: a heap whose root is the worst of those kept */

typedef struct {
    double score;
    i32 place;
} Ranked;

/* Whether `one` comes behind `other`: less, or equal and later. */
static inline int behind(Ranked one, Ranked other) {
    return one.score < other.score || (one.score == other.score && one.place > other.place);
}

static void sink(Ranked *heap, Py_ssize_t size, Py_ssize_t at) {
    Ranked moved = heap[at];
    for (;;) {
        Py_ssize_t child = 2 * at + 1;
        if (child >= size) break;
        if (child + 1 < size && behind(heap[child + 1], heap[child])) child++;
        if (!behind(heap[child], moved)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

typedef struct {
    Ranked *heap;
    Py_ssize_t size, most;
} Best;

static inline void offer(Best *best, double score, i32 place) {
    Ranked one = {score, place};
    if (best->size < best->most) {
        best->heap[best->size++] = one;
        if (best->size == best->most)
            for (Py_ssize_t at = best->size / 2; at-- > 0;) sink(best->heap, best->size, at);
    } else if (best->most && behind(best->heap[0], one)) {
        best->heap[0] = one;
        sink(best->heap, best->size, 0);
    }
}

/* Turns the heap into a list, best first. */
static void in_order(Best *best) {
    Py_ssize_t size = best->size;
    if (size < best->most)
        for (Py_ssize_t at = size / 2; at-- > 0;) sink(best->heap, size, at);
    while (size > 1) {
        Ranked worst = best->heap[0];
        best->heap[0] = best->heap[--size];
        best->heap[size] = worst;
        sink(best->heap, size, 0);
    }
}

/* ---- loops */

/* reach(starts, items, most) -> how many entries `followed` will find */
static PyObject *reach(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(3);
    Py_ssize_t starts_length = 0;
    const i32 *narrow = NULL;
    const i64 *wide = cells(&buffers, args[0], 'q', 0, &starts_length);
    if (!wide) { /* scipy keeps row starts in 32 bits where they fit */
        PyErr_Clear();
        narrow = cells(&buffers, args[0], 'i', 0, &starts_length);
        if (!narrow) goto failed;
    }
    TAKE(items, const i32, 'i', 0, 1);
    Py_ssize_t most = PyLong_AsSsize_t(args[2]), count = 0;
    if (most == -1 && PyErr_Occurred()) goto failed;
    for (Py_ssize_t at = 0; at < items_length; at++) {
        i64 row = items[at];
        if (row < 0 || row >= starts_length - 1) continue; /* came after the rows were learned */
        i64 length = wide ? wide[row + 1] - wide[row] : (i64)narrow[row + 1] - narrow[row];
        FIT(length >= 0, "a row ends before it begins");
        count += length < most ? length : most;
    }
    answer = PyLong_FromSsize_t(count);
    END;
}

/* followed(starts, targets, strengths, items, weights, most, source, found, scores) -> count */
static PyObject *followed(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(9);
    Py_ssize_t starts_length = 0;
    const i32 *narrow = NULL;
    const i64 *wide = cells(&buffers, args[0], 'q', 0, &starts_length);
    if (!wide) { /* scipy keeps row starts in 32 bits where they fit */
        PyErr_Clear();
        narrow = cells(&buffers, args[0], 'i', 0, &starts_length);
        if (!narrow) goto failed;
    }
    TAKE(targets, const i32, 'i', 0, 1);
    TAKE(strengths, const float, 'f', 0, 2);
    TAKE(items, const i32, 'i', 0, 3);
    TAKE(weights, const float, 'f', 0, 4);
    Py_ssize_t most = PyLong_AsSsize_t(args[5]);
    if (most == -1 && PyErr_Occurred()) goto failed;
    TAKE(source, i32, 'i', 1, 6);
    TAKE(found, i32, 'i', 1, 7);
    TAKE(scores, float, 'f', 1, 8);
    FIT(weights_length == items_length, "one weight per item is needed");
    FIT(targets_length == strengths_length, "one strength per target is needed");
    FIT(found_length == source_length && found_length == scores_length, "the results need one length");
    Py_ssize_t count = 0;
    for (Py_ssize_t at = 0; at < items_length; at++) {
        i64 row = items[at];
        if (row < 0 || row >= starts_length - 1) continue;
        i64 from = wide ? wide[row] : narrow[row], to = wide ? wide[row + 1] : narrow[row + 1];
        if (to > from + most) to = from + most;
        FIT(from >= 0 && to <= targets_length, "a row reaches beyond the targets");
        FIT(to <= from || count + (to - from) <= found_length, "more is followed than there is room for");
        float weight = weights[at];
        for (i64 place = from; place < to; place++, count++) {
            source[count] = (i32)at;
            found[count] = targets[place];
            scores[count] = strengths[place] * weight;
        }
    }
    answer = PyLong_FromSsize_t(count);
    END;
}

/* summed_best(items, scores, slots, most, found, sums) -> count */
static PyObject *summed_best(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(6);
    TAKE(items, const i32, 'i', 0, 0);
    TAKE(scores, const float, 'f', 0, 1);
    TAKE(slots, i32, 'i', 1, 2);
    Py_ssize_t most = PyLong_AsSsize_t(args[3]);
    if (most == -1 && PyErr_Occurred()) goto failed;
    TAKE(found, i32, 'i', 1, 4);
    TAKE(sums, float, 'f', 1, 5);
    FIT(items_length == scores_length, "one score per item is needed");
    FIT(most >= 0 && most <= found_length && found_length == sums_length, "the results need room for `most`");
    SCRATCH(double, totals, items_length + 2 * most + items_length);
    Best best = {(Ranked *)(totals + items_length), 0, most};
    i32 *distinct = (i32 *)(best.heap + most);
    i32 known = 0;
    for (Py_ssize_t at = 0; at < items_length; at++) {
        i32 item = items[at];
        BOUND(item, slots_length);
        i32 slot = slots[item];
        if (slot < 0 || slot >= known || distinct[slot] != item) {
            slot = slots[item] = known++;
            distinct[slot] = item;
            totals[slot] = 0;
        }
        totals[slot] += scores[at];
    }
    for (i32 slot = 0; slot < known; slot++)
        if (totals[slot] > 0) offer(&best, (float)totals[slot], slot);
    in_order(&best);
    for (Py_ssize_t at = 0; at < best.size; at++) {
        found[at] = distinct[best.heap[at].place];
        sums[at] = (float)best.heap[at].score;
    }
    answer = PyLong_FromSsize_t(best.size);
    END;
}

/* spread(members, items, scores, slots, out) -> None */
static PyObject *spread(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(5);
    TAKE(members, const i32, 'i', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    TAKE(scores, const float, 'f', 0, 2);
    TAKE(slots, i32, 'i', 1, 3);
    TAKE(out, float, 'f', 1, 4);
    FIT(items_length == scores_length, "one score per item is needed");
    FIT(members_length == out_length, "one result per member is needed");
    SCRATCH(double, totals, members_length);
    for (Py_ssize_t at = 0; at < members_length; at++) {
        BOUND(members[at], slots_length);
        slots[members[at]] = (i32)at;
        totals[at] = 0;
    }
    for (Py_ssize_t at = 0; at < items_length; at++) {
        BOUND(items[at], slots_length);
        i32 slot = slots[items[at]];
        if (slot >= 0 && slot < members_length && members[slot] == items[at]) totals[slot] += scores[at];
    }
    for (Py_ssize_t at = 0; at < members_length; at++) out[at] = (float)totals[at];
    answer = Py_NewRef(Py_None);
    END;
}

/* strongest(members, items, scores, slots, out) -> None */
static PyObject *strongest(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(5);
    TAKE(members, const i32, 'i', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    TAKE(scores, const float, 'f', 0, 2);
    TAKE(slots, i32, 'i', 1, 3);
    TAKE(out, i32, 'i', 1, 4);
    FIT(items_length == scores_length, "one score per item is needed");
    FIT(members_length == out_length, "one result per member is needed");
    for (Py_ssize_t at = 0; at < members_length; at++) {
        BOUND(members[at], slots_length);
        slots[members[at]] = (i32)at;
        out[at] = -1;
    }
    for (Py_ssize_t at = 0; at < items_length; at++) {
        BOUND(items[at], slots_length);
        i32 slot = slots[items[at]];
        if (slot < 0 || slot >= members_length || members[slot] != items[at]) continue;
        if (out[slot] < 0 || scores[at] > scores[out[slot]]) out[slot] = (i32)at;
    }
    answer = Py_NewRef(Py_None);
    END;
}

/* products(vectors, items, vector, out) -> None; rows that are not there count nothing */
static PyObject *products(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(4);
    TAKE(vectors, const float, 'f', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    TAKE(vector, const float, 'f', 0, 2);
    TAKE(out, float, 'f', 1, 3);
    FIT(items_length == out_length, "one result per item is needed");
    FIT(vector_length > 0 && vectors_length % vector_length == 0, "the vector does not fit the rows");
    Py_ssize_t width = vector_length, rows = vectors_length / width;
    for (Py_ssize_t at = 0; at < items_length; at++) {
        if (at + 8 < items_length && items[at + 8] >= 0 && items[at + 8] < rows)
            for (Py_ssize_t part = 0; part < width; part += 16)
                __builtin_prefetch(vectors + items[at + 8] * width + part);
        i64 item = items[at];
        if (item < 0 || item >= rows) {
            out[at] = 0;
            continue;
        }
        const float *row = vectors + item * width;
        float sums[8] = {0};
        Py_ssize_t part = 0;
        for (; part + 8 <= width; part += 8)
            for (int lane = 0; lane < 8; lane++) sums[lane] += row[part + lane] * vector[part + lane];
        for (; part < width; part++) sums[0] += row[part] * vector[part];
        out[at] = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    }
    answer = Py_NewRef(Py_None);
    END;
}

/* folded(vectors, items, weights, gram, ridge, unobserved, out) -> how many of the items there is a vector of */
static PyObject *folded(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(7);
    TAKE(vectors, const float, 'f', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    TAKE(weights, const float, 'f', 0, 2);
    TAKE(gram, const float, 'f', 0, 3);
    double ridge = PyFloat_AsDouble(args[4]), unobserved = PyFloat_AsDouble(args[5]);
    if (PyErr_Occurred()) goto failed;
    TAKE(out, float, 'f', 1, 6);
    Py_ssize_t width = out_length;
    FIT(width > 0 && vectors_length % width == 0 && gram_length == width * width, "the vectors, the gram and the result do not fit");
    FIT(items_length == weights_length, "one weight per item is needed");
    Py_ssize_t rows = vectors_length / width, used = 0, behaved = 0;
    SCRATCH(float, system, width * width + width);
    float *right = system + width * width;
    memcpy(system, gram, sizeof(float) * (size_t)(width * width));
    memset(right, 0, sizeof(float) * (size_t)width);
    for (Py_ssize_t at = 0; at < items_length; at++)
        if (items[at] >= 0 && items[at] < rows && weights[at] > 0)
            for (Py_ssize_t part = 0; part < width; part += 16)
                __builtin_prefetch(vectors + (i64)items[at] * width + part);
    for (Py_ssize_t at = 0; at < items_length; at++) {
        if (items[at] < 0 || items[at] >= rows || !(weights[at] > 0)) continue;
        const float *row = vectors + (i64)items[at] * width;
        used++;
        if (row[0] == 0) continue; /* nobody touched it: its vector is nothing */
        behaved++;
        for (Py_ssize_t i = 0; i < width; i++) { /* the upper half is enough */
            float part = weights[at] * row[i], *line = system + i * width;
            right[i] += part;
            for (Py_ssize_t j = i; j < width; j++) line[j] += part * row[j];
        }
    }
    if (behaved) {
        float shift = (float)(ridge * ((double)used + unobserved));
        for (Py_ssize_t i = 0; i < width; i++) system[i * width + i] += shift;
        /* Cholesky by rows, system = U' U, and the first half of the solution with it. */
        for (Py_ssize_t k = 0; k < width; k++) {
            float *line = system + k * width;
            FIT(line[k] > 0 && isfinite(line[k]), "history: the values must be finite and not negative");
            float root = 1 / sqrtf(line[k]);
            for (Py_ssize_t j = k; j < width; j++) line[j] *= root;
            right[k] *= root;
            for (Py_ssize_t i = k + 1; i < width; i++) {
                float part = line[i], *below = system + i * width;
                right[i] -= part * right[k];
                for (Py_ssize_t j = i; j < width; j++) below[j] -= part * line[j];
            }
        }
        for (Py_ssize_t k = width; k-- > 0;) {
            float sum = right[k], *line = system + k * width;
            for (Py_ssize_t j = k + 1; j < width; j++) sum -= line[j] * out[j];
            out[k] = sum / line[k];
        }
    }
    answer = PyLong_FromSsize_t(behaved);
    END;
}

/* in_turns(lists, slots, found) -> count; as many as `found` has room for */
static PyObject *in_turns(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(3);
    FIT(PyList_Check(args[0]), "a list of arrays is needed");
    Py_ssize_t lists = PyList_Size(args[0]);
    FIT(lists <= MOST_BUFFERS - 2, "too many lists");
    TAKE(slots, i32, 'i', 1, 1);
    TAKE(found, i32, 'i', 1, 2);
    const i32 *heads[MOST_BUFFERS];
    Py_ssize_t lengths[MOST_BUFFERS], longest = 0;
    for (Py_ssize_t one = 0; one < lists; one++) {
        heads[one] = cells(&buffers, PyList_GetItem(args[0], one), 'i', 0, &lengths[one]);
        if (!heads[one]) goto failed;
        if (lengths[one] > longest) longest = lengths[one];
    }
    i32 count = 0;
    for (Py_ssize_t turn = 0; turn < longest && count < found_length; turn++)
        for (Py_ssize_t one = 0; one < lists && count < found_length; one++) {
            if (turn >= lengths[one]) continue;
            i32 item = heads[one][turn];
            BOUND(item, slots_length);
            i32 slot = slots[item];
            if (slot >= 0 && slot < count && found[slot] == item) continue;
            slots[item] = count;
            found[count++] = item;
        }
    answer = PyLong_FromLong(count);
    END;
}

/* those_allowed(mask, items, found) -> count; the first that are, as many as `found` has room for */
static PyObject *those_allowed(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(3);
    TAKE(mask, const unsigned char, '?', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    TAKE(found, i32, 'i', 1, 2);
    Py_ssize_t count = 0;
    for (Py_ssize_t at = 0; at < items_length && count < found_length; at++) {
        BOUND(items[at], mask_length);
        if (mask[items[at]]) found[count++] = items[at];
    }
    answer = PyLong_FromSsize_t(count);
    END;
}

/* any_of(mask, items) -> bool; whether the mask holds for any of them; numbers beyond it do not count */
static PyObject *any_of(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(2);
    TAKE(mask, const unsigned char, '?', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    int found = 0;
    for (Py_ssize_t at = 0; at < items_length && !found; at++)
        found = items[at] >= 0 && items[at] < mask_length && mask[items[at]];
    answer = PyBool_FromLong(found);
    END;
}

/* best_places(scores, places) -> count; as many as `places` has room for */
static PyObject *best_places(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(2);
    TAKE(scores, const float, 'f', 0, 0);
    TAKE(places, i32, 'i', 1, 1);
    SCRATCH(Ranked, heap, places_length);
    Best best = {heap, 0, places_length};
    for (Py_ssize_t at = 0; at < scores_length; at++) offer(&best, scores[at], (i32)at);
    in_order(&best);
    for (Py_ssize_t at = 0; at < best.size; at++) places[at] = heap[at].place;
    answer = PyLong_FromSsize_t(best.size);
    END;
}

/* shares(parts, places, out) -> None; out[p, k] = parts[p][places[k]] */
static PyObject *shares(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(3);
    FIT(PyList_Check(args[0]), "a list of arrays is needed");
    TAKE(places, const i32, 'i', 0, 1);
    TAKE(out, float, 'f', 1, 2);
    Py_ssize_t parts = PyList_Size(args[0]);
    FIT(out_length == parts * places_length, "the result needs a row per part");
    for (Py_ssize_t one = 0; one < parts; one++) {
        Py_ssize_t length;
        const float *part = cells(&buffers, PyList_GetItem(args[0], one), 'f', 0, &length);
        if (!part) goto failed;
        for (Py_ssize_t at = 0; at < places_length; at++) {
            BOUND(places[at], length);
            *out++ = part[places[at]];
        }
        PyBuffer_Release(&buffers.held[--buffers.count]);
    }
    answer = Py_NewRef(Py_None);
    END;
}

/* weighed(scores, weight, total, out) -> None; out = weight * scores, total += out */
static PyObject *weighed(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(4);
    TAKE(scores, const float, 'f', 0, 0);
    float weight = (float)PyFloat_AsDouble(args[1]);
    if (weight == -1 && PyErr_Occurred()) goto failed;
    TAKE(total, float, 'f', 1, 2);
    TAKE(out, float, 'f', 1, 3);
    FIT(scores_length == total_length && scores_length == out_length, "the arrays need one length");
    for (Py_ssize_t at = 0; at < scores_length; at++) {
        out[at] = weight * scores[at];
        total[at] += out[at];
    }
    answer = Py_NewRef(Py_None);
    END;
}

/* fondness(affinities, places, sizes, items, hidden, category, brand, band, top, bands, out) -> None; out is [4, items] */
static PyObject *fondness(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(11);
    FIT(PyDict_Check(args[0]) && PyDict_Check(args[1]) && PyTuple_Check(args[2]) && PyTuple_Size(args[2]) == 4,
        "two dicts and a tuple of four sizes are needed");
    TAKE(items, const i32, 'i', 0, 3);
    TAKE(hidden, const unsigned char, '?', 0, 4);
    TAKE(category, const i32, 'i', 0, 5);
    TAKE(brand, const i32, 'i', 0, 6);
    TAKE(band, const i32, 'i', 0, 7);
    TAKE(top, const i32, 'i', 0, 8);
    long bands = PyLong_AsLong(args[9]);
    if (bands == -1 && PyErr_Occurred()) goto failed;
    TAKE(out, float, 'f', 1, 10);
    FIT(out_length == 4 * items_length, "the result needs four rows");
    FIT(hidden_length == category_length && hidden_length == brand_length && hidden_length == band_length &&
            hidden_length == top_length, "the columns need one length");
    Py_ssize_t sizes[4], begins[4], whole = 0;
    for (int kind = 0; kind < 4; kind++) {
        sizes[kind] = PyLong_AsSsize_t(PyTuple_GetItem(args[2], kind));
        if (sizes[kind] == -1 && PyErr_Occurred()) goto failed;
        begins[kind] = whole;
        whole += sizes[kind];
    }
    SCRATCH(float, board, whole);
    memset(board, 0, sizeof(float) * (size_t)whole);
    PyObject *key, *value;
    Py_ssize_t turn = 0;
    while (PyDict_Next(args[0], &turn, &key, &value)) {
        PyObject *place = PyDict_GetItemWithError(args[1], key);
        if (!place) {
            if (PyErr_Occurred()) goto failed;
            continue; /* a key the catalogue does not know */
        }
        long told = PyLong_AsLong(place);
        double weight = PyFloat_AsDouble(value);
        if (PyErr_Occurred()) goto failed;
        long kind = told & 3, code = told >> 2;
        BOUND(code, sizes[kind]);
        board[begins[kind] + code] = (float)weight;
    }
    for (Py_ssize_t at = 0; at < items_length; at++) {
        i64 item = items[at];
        BOUND(item, hidden_length);
        i64 codes[4] = {-1, -1, -1, -1};
        if (!hidden[item]) {
            codes[0] = category[item], codes[1] = brand[item], codes[2] = band[item];
            if (band[item] >= 0) codes[3] = (i64)top[item] * bands + band[item];
        }
        for (int kind = 0; kind < 4; kind++) {
            if (codes[kind] >= 0) BOUND(codes[kind], sizes[kind]);
            out[kind * items_length + at] = codes[kind] < 0 ? 0 : board[begins[kind] + codes[kind]];
        }
    }
    answer = Py_NewRef(Py_None);
    END;
}

typedef struct {
    i32 session, position, step;
    double likeness;
} Entry;

static int newest_first(const void *one, const void *other) {
    i32 left = ((const Entry *)one)->session, right = ((const Entry *)other)->session;
    return (left > right) - (left < right);
}

/* went_on(viewed, item_starts, item_sessions, item_positions, freshness, starts, clicks, nearness, factor, session_slots,
   item_slots, last_items, newest, neighbours, most, found, sums) -> count */
static PyObject *went_on(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(17);
    TAKE(viewed, const i32, 'i', 0, 0);
    TAKE(item_starts, const i64, 'q', 0, 1);
    TAKE(item_sessions, const i32, 'i', 0, 2);
    TAKE(item_positions, const i32, 'i', 0, 3);
    TAKE(freshness, const float, 'f', 0, 4);
    TAKE(starts, const i64, 'q', 0, 5);
    TAKE(clicks, const i32, 'i', 0, 6);
    TAKE(nearness, const float, 'f', 0, 7);
    TAKE(factor, const float, 'f', 0, 8);
    TAKE(session_slots, i32, 'i', 1, 9);
    TAKE(item_slots, i32, 'i', 1, 10);
    Py_ssize_t last_items = PyLong_AsSsize_t(args[11]), newest = PyLong_AsSsize_t(args[12]);
    Py_ssize_t neighbours = PyLong_AsSsize_t(args[13]), most = PyLong_AsSsize_t(args[14]);
    if (PyErr_Occurred()) goto failed;
    TAKE(found, i32, 'i', 1, 15);
    TAKE(sums, float, 'f', 1, 16);
    FIT(item_sessions_length == item_positions_length, "one position per session is needed");
    FIT(freshness_length == session_slots_length && freshness_length == starts_length - 1, "one row per session is needed");
    FIT(factor_length == item_slots_length, "one row per item is needed");
    FIT(last_items > 0 && last_items <= 64 && newest > 0 && neighbours > 0, "the bounds must be positive");
    FIT(most >= 0 && most <= found_length && found_length == sums_length, "the results need room for `most`");

    /* Most recent first, each item once at its most recent place. */
    i32 recent[64];
    Py_ssize_t steps = 0;
    for (Py_ssize_t at = viewed_length; at-- > 0 && viewed_length - at <= last_items;) {
        Py_ssize_t same = 0;
        while (same < steps && recent[same] != viewed[at]) same++;
        if (same == steps) recent[steps++] = viewed[at];
    }

    /* The newest sessions that share an item with the visit, and of these the most alike. */
    SCRATCH(Entry, entries, newest * steps + neighbours);
    Py_ssize_t count = 0;
    for (Py_ssize_t step = steps; step-- > 0;) { /* the oldest first, so that the newest match has the word */
        if (recent[step] < 0 || recent[step] >= item_starts_length - 1) continue;
        i64 from = item_starts[recent[step]], to = item_starts[recent[step] + 1];
        FIT(from >= 0 && to <= item_sessions_length, "an item's sessions reach beyond them all");
        /* A session among the newest of all is among the newest of each of its items: theirs come newest first. */
        if (to > from + newest) to = from + newest;
        for (i64 place = from; place < to; place++) {
            BOUND(item_sessions[place], session_slots_length);
            __builtin_prefetch(session_slots + item_sessions[place], 1);
            __builtin_prefetch(freshness + item_sessions[place]);
            __builtin_prefetch(starts + item_sessions[place]);
        }
        for (i64 place = from; place < to; place++) {
            i32 session = item_sessions[place], slot = session_slots[session];
            if (slot < 0 || slot >= count || entries[slot].session != session) {
                slot = session_slots[session] = (i32)count++;
                entries[slot].session = session;
                entries[slot].likeness = 0;
            }
            entries[slot].likeness += (double)(steps - step) / (double)steps;
            entries[slot].step = (i32)step;
            entries[slot].position = item_positions[place];
        }
    }
    if (count > newest) {
        qsort(entries, (size_t)count, sizeof(Entry), newest_first);
        count = newest;
    }
    /* Of equally similar sessions the recent one, which has the lower number. */
    Best voters = {(Ranked *)(entries + newest * steps), 0, count < neighbours ? count : neighbours};
    for (Py_ssize_t at = 0; at < count; at++)
        offer(&voters, (float)entries[at].likeness - 1e-9 * entries[at].session, (i32)at);
    Py_ssize_t whole = 0;
    for (Py_ssize_t one = 0; one < voters.size; one++) {
        const Entry *voter = entries + voters.heap[one].place;
        i64 from = starts[voter->session], to = starts[voter->session + 1];
        FIT(from >= 0 && to >= from && to <= clicks_length, "a session reaches beyond the clicks");
        FIT(voter->position >= 0 && voter->position < to - from && to - from <= nearness_length, "a place outside its session");
        for (i64 click = from; click < to; click += 16) __builtin_prefetch(clicks + click);
        whole += to - from;
    }

    /* Every click of every one of them is a vote. */
    double *totals = PyMem_Malloc((sizeof(double) + sizeof(i32)) * (size_t)(whole + 1) + sizeof(Ranked) * (size_t)most);
    if (!totals) {
        PyErr_NoMemory();
        goto failed;
    }
    Best best = {(Ranked *)(totals + whole + 1), 0, most};
    i32 *distinct = (i32 *)(best.heap + most), known = 0;
    for (Py_ssize_t one = 0; one < voters.size; one++) {
        const Entry *voter = entries + voters.heap[one].place;
        float weight = (float)voter->likeness * (float)fmax(0, 1 - 0.1 * (voter->step + 1)) * freshness[voter->session];
        i64 from = starts[voter->session], to = starts[voter->session + 1], match = from + voter->position;
        for (i64 click = from; click < to; click++) {
            i32 item = clicks[click];
            if (item < 0 || item >= item_slots_length) {
                PyErr_Format(PyExc_IndexError, "item %d is outside 0..%zd", item, item_slots_length - 1);
                PyMem_Free(totals);
                goto failed;
            }
            i32 slot = item_slots[item];
            if (slot < 0 || slot >= known || distinct[slot] != item) {
                slot = item_slots[item] = known++;
                distinct[slot] = item;
                totals[slot] = 0;
            }
            totals[slot] += weight * nearness[click < match ? match - click : click - match];
        }
    }
    for (i32 slot = 0; slot < known; slot++)
        if (distinct[slot] != recent[0]) offer(&best, (float)totals[slot] * factor[distinct[slot]], slot);
    in_order(&best);
    for (Py_ssize_t at = 0; at < best.size; at++) {
        found[at] = distinct[best.heap[at].place];
        sums[at] = (float)best.heap[at].score;
    }
    PyMem_Free(totals);
    answer = PyLong_FromSsize_t(best.size);
    END;
}

/* rows(column, items, out) -> None; rows that are not there are 0 */
static PyObject *rows(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(3);
    TAKE(column, const float, 'f', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    TAKE(out, float, 'f', 1, 2);
    FIT(items_length == out_length, "one result per item is needed");
    for (Py_ssize_t at = 0; at < items_length; at++)
        out[at] = items[at] >= 0 && items[at] < column_length ? column[items[at]] : 0;
    answer = Py_NewRef(Py_None);
    END;
}

/* scaled(scores, out) -> None; divided by the largest magnitude */
static PyObject *scaled(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(2);
    TAKE(scores, const float, 'f', 0, 0);
    TAKE(out, float, 'f', 1, 1);
    FIT(scores_length == out_length, "one result per score is needed");
    float top = 0;
    for (Py_ssize_t at = 0; at < scores_length; at++)
        if (fabsf(scores[at]) > top || isnan(scores[at])) top = fabsf(scores[at]);
    for (Py_ssize_t at = 0; at < scores_length; at++) out[at] = top > 0 ? scores[at] / top : scores[at];
    answer = Py_NewRef(Py_None);
    END;
}

/* faded(times, items, now, half_life, out) -> None; 1 now and later, a half one half-life before */
static PyObject *faded(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(5);
    TAKE(times, const double, 'd', 0, 0);
    TAKE(items, const i32, 'i', 0, 1);
    double now = PyFloat_AsDouble(args[2]), half_life = PyFloat_AsDouble(args[3]);
    if (PyErr_Occurred()) goto failed;
    TAKE(out, float, 'f', 1, 4);
    FIT(items_length == out_length, "one result per item is needed");
    FIT(half_life > 0, "a half-life must be positive");
    for (Py_ssize_t at = 0; at < items_length; at++) {
        BOUND(items[at], times_length);
        out[at] = exp2f((float)(fmin(times[items[at]] - now, 0) / half_life));
    }
    answer = Py_NewRef(Py_None);
    END;
}

/* within(items, size) -> bool; whether every number is one below `size` */
static PyObject *within(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(2);
    TAKE(items, const uint32_t, 'i', 0, 0);
    Py_ssize_t size = PyLong_AsSsize_t(args[1]);
    if (size == -1 && PyErr_Occurred()) goto failed;
    uint32_t most = 0; /* seen as unsigned a negative number is a huge one */
    for (Py_ssize_t at = 0; at < items_length; at++) most = items[at] > most ? items[at] : most;
    answer = PyBool_FromLong(!items_length || (i64)most < size);
    END;
}

/* ---- walking a graph of near neighbours (HNSW) as hnswlib 0.8 wrote it, where it lies in a mapped file */

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));

static float product(const float *one, const float *other, i64 length) {
    v4 sums[4] = {{0}, {0}, {0}, {0}};
    i64 at = 0;
    for (; at + 16 <= length; at += 16)
        for (int part = 0; part < 4; part++)
            sums[part] += *(const v4 *)(one + at + 4 * part) * *(const v4 *)(other + at + 4 * part);
    v4 sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    float found = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (; at < length; at++) found += one[at] * other[at];
    return found;
}

/* Where each row's upper links lie, -1 where it has none; returns where the file should end, -1 where it is too short. */
static PyObject *upper_links(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(3);
    TAKE(file, uint8_t, 'B', 0, 0);
    i64 at = PyLong_AsLongLong(args[1]);
    if (PyErr_Occurred()) goto failed;
    TAKE(places, i64, 'q', 1, 2);
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t row = 0; row < places_length && at >= 0; row++) {
        uint32_t size = 0;
        if (at + 4 > file_length) {
            at = -1;
            break;
        }
        memcpy(&size, file + at, 4);
        at += 4;
        places[row] = size ? at : -1;
        at = at + size > file_length ? -1 : at + size;
    }
    Py_END_ALLOW_THREADS
    answer = PyLong_FromLongLong(at);
    END;
}

typedef struct {
    float score;
    i32 row;
} Near;

static void rise(Near *heap, i64 at, float sign) {
    Near moved = heap[at];
    while (at && sign * heap[(at - 1) / 2].score < sign * moved.score) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = moved;
}

static Near drop(Near *heap, i64 *size, float sign) {
    Near root = heap[0], moved = heap[--*size];
    i64 at = 0;
    for (;;) {
        i64 child = 2 * at + 1;
        if (child >= *size) break;
        if (child + 1 < *size && sign * heap[child + 1].score > sign * heap[child].score) child++;
        if (sign * heap[child].score <= sign * moved.score) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
    return root;
}

/* The rows nearest to `query` by inner product, best first; returns how many were found. Malkov and Yashunin 2020,
   algorithms 2 and 5. `shape`: where rows begin, bytes of a row, where its vector begins, bytes of one upper list, the
   row to begin at, the number of upper levels. */
static PyObject *walk(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(7);
    Near *heaps = NULL;
    TAKE(file, uint8_t, 'B', 0, 0);
    TAKE(places, i64, 'q', 0, 1);
    TAKE(shape, i64, 'q', 0, 2);
    TAKE(query, float, 'f', 0, 3);
    i64 wide = PyLong_AsLongLong(args[4]), rows = places_length;
    if (PyErr_Occurred()) goto failed;
    TAKE(found, i32, 'i', 1, 5);
    TAKE(scores, float, 'f', 1, 6);
    FIT(shape_length == 6 && wide > 0 && found_length == scores_length && found_length <= wide, "the results need room");
    i64 begin = shape[0], stride = shape[1], vector = shape[2], list = shape[3], now = shape[4], levels = shape[5];
    FIT(begin >= 0 && vector >= 4 && list >= 4 && stride >= vector + query_length * 4 && rows > 0 &&
            begin + rows * stride <= file_length, "the graph does not fit its file");
    BOUND(now, rows);
    i64 most = (vector - 4) / 4, most_above = (list - 4) / 4, room = 4 * wide + 1024, waiting = 0, kept = 0;
#define ROW(row) (file + begin + (i64)(row)*stride)
/* Rounded as hnswlib rounds its distance, 1 - product: what it takes to be alike decides which way it goes. */
#define SCORE(row) -(1.0f - product(query, (const float *)(ROW(row) + vector), query_length))
    float score = SCORE(now);
    for (i64 level = levels; level > 0; level--) {
        for (int moved = 1; moved;) {
            moved = 0;
            FIT(places[now] >= 0 && places[now] + level * list <= file_length, "links beyond the graph's file");
            const uint8_t *links = file + places[now] + (level - 1) * list;
            uint16_t count;
            memcpy(&count, links, 2);
            FIT(count <= most_above, "a row has more links than it may");
            const i32 *others = (const i32 *)(links + 4);
            for (int one = 0; one < count; one++) {
                BOUND(others[one], rows);
                float other = SCORE(others[one]);
                if (other > score) {
                    score = other;
                    now = others[one];
                    moved = 1;
                }
            }
        }
    }
    SCRATCH(uint8_t, seen, rows / 8 + 1);
    memset(seen, 0, (size_t)(rows / 8 + 1));
    heaps = malloc(sizeof(Near) * (size_t)(room + wide + 1));
    if (!heaps) {
        PyErr_NoMemory();
        goto failed;
    }
    Near *best = heaps, *open = heaps + wide + 1; /* the worst of the best on top; the best of the open on top */
    best[kept++] = open[waiting++] = (Near){score, (i32)now};
    seen[now >> 3] |= (uint8_t)(1 << (now & 7));
    while (waiting) {
        Near next = drop(open, &waiting, 1);
        if (kept == wide && next.score < best[0].score) break;
        const uint8_t *links = ROW(next.row);
        uint16_t count;
        memcpy(&count, links, 2);
        const i32 *others = (const i32 *)(links + 4);
        if (count > most) {
            free(heaps);
            FIT(0, "a row has more links than it may");
        }
        for (int one = 0; one < count; one++)
            if (others[one] >= 0 && others[one] < rows) {
                __builtin_prefetch(seen + (others[one] >> 3));
                __builtin_prefetch(ROW(others[one]) + vector);
            }
        for (int one = 0; one < count; one++) {
            i32 other = others[one];
            if (other < 0 || other >= rows) {
                free(heaps);
                BOUND(other, rows);
            }
            if (seen[other >> 3] & (1 << (other & 7))) continue;
            seen[other >> 3] |= (uint8_t)(1 << (other & 7));
            float met = SCORE(other);
            if (kept == wide && met <= best[0].score) continue;
            if (waiting == room) {
                room *= 2;
                Near *larger = realloc(heaps, sizeof(Near) * (size_t)(room + wide + 1));
                if (!larger) {
                    free(heaps);
                    PyErr_NoMemory();
                    goto failed;
                }
                heaps = larger;
                best = heaps;
                open = heaps + wide + 1;
            }
            open[waiting] = (Near){met, other};
            rise(open, waiting++, 1);
            best[kept] = (Near){met, other};
            rise(best, kept++, -1);
            if (kept > wide) drop(best, &kept, -1);
        }
    }
    while (kept > found_length) drop(best, &kept, -1);
    Py_ssize_t told = kept;
    while (kept) {
        Near worst = drop(best, &kept, -1);
        found[kept] = worst.row;
        scores[kept] = 1.0f + worst.score;
    }
    free(heaps);
    answer = PyLong_FromSsize_t(told);
    END;
}

/* ---- the module */

/* ---- rows of alternating least squares, by conjugate gradients (app/learning/als.py) */

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
/* Chosen when the program starts, by what its processor has: still one portable build. */
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("fast-math")))
#else
#define WIDE
#endif

#define KEPT_ROWS 2048 /* so many rows of a table are copied beside each other; the others are read where they lie */

typedef struct {
    const i64 *starts;
    const i32 *columns;
    const float *values, *table, *spectrum;
    float *solved;
    i64 width, steps;
    double ridge, unobserved;
} System;

/* `sum` += sum of coefficients times rows; with `residual`, coefficients are value * (1 - row.x), else value * (row.x) */
WIDE static void als_row(const System *system, i64 row, float *room) {
    i64 width = system->width, first = system->starts[row], count = system->starts[row + 1] - first;
    float *restrict x = system->solved + row * width;
    float *restrict r = room, *restrict p = room + width, *restrict ap = room + 2 * width;
    float *restrict diagonal = room + 3 * width, *restrict inverse = room + 4 * width;
    float *restrict near = room + 5 * width;
    float ridge = (float)(system->ridge * ((double)count + system->unobserved));
    for (i64 j = 0; j < width; j++) {
        diagonal[j] = system->spectrum[j] + ridge;
        r[j] = -diagonal[j] * x[j];
        inverse[j] = diagonal[j];
    }
    for (i64 at = 0; at < count; at++) {
        const float *restrict from = system->table + (i64)system->columns[first + at] * width;
        if (at + 8 < count)
            for (i64 part = 0; part < width; part += 16)
                __builtin_prefetch(system->table + (i64)system->columns[first + at + 8] * width + part);
        float value = system->values[first + at], dot = 0;
        for (i64 j = 0; j < width; j++) dot += from[j] * x[j];
        float coefficient = value * (1 - dot);
        if (at < KEPT_ROWS) memcpy(near + at * width, from, sizeof(float) * (size_t)width);
        for (i64 j = 0; j < width; j++) {
            r[j] += coefficient * from[j];
            inverse[j] += value * from[j] * from[j];
        }
    }
    float rz = 0;
    for (i64 j = 0; j < width; j++) {
        inverse[j] = 1 / inverse[j];
        p[j] = inverse[j] * r[j];
        rz += r[j] * p[j];
    }
    for (i64 step = 0; step < system->steps && rz > 1e-20f; step++) {
        for (i64 j = 0; j < width; j++) ap[j] = diagonal[j] * p[j];
        for (i64 at = 0; at < count; at++) {
            const float *restrict from =
                at < KEPT_ROWS ? near + at * width : system->table + (i64)system->columns[first + at] * width;
            float dot = 0;
            for (i64 j = 0; j < width; j++) dot += from[j] * p[j];
            dot *= system->values[first + at];
            for (i64 j = 0; j < width; j++) ap[j] += dot * from[j];
        }
        float pap = 0;
        for (i64 j = 0; j < width; j++) pap += p[j] * ap[j];
        float alpha = rz / pap, next = 0;
        for (i64 j = 0; j < width; j++) {
            x[j] += alpha * p[j];
            r[j] -= alpha * ap[j];
            next += r[j] * r[j] * inverse[j];
        }
        float beta = next / rz;
        rz = next;
        for (i64 j = 0; j < width; j++) p[j] = inverse[j] * r[j] + beta * p[j];
    }
}

/* als_rows(starts, columns, values, table, spectrum, solved, first, stop, ridge, unobserved, steps); lets other threads run */
static PyObject *als_rows(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    NEED(11);
    TAKE(starts, const i64, 'q', 0, 0);
    TAKE(columns, const i32, 'i', 0, 1);
    TAKE(values, const float, 'f', 0, 2);
    TAKE(table, const float, 'f', 0, 3);
    TAKE(spectrum, const float, 'f', 0, 4);
    TAKE(solved, float, 'f', 1, 5);
    i64 first = PyLong_AsLongLong(args[6]), stop = PyLong_AsLongLong(args[7]);
    double ridge = PyFloat_AsDouble(args[8]), unobserved = PyFloat_AsDouble(args[9]);
    i64 steps = PyLong_AsLongLong(args[10]), width = spectrum_length, longest = 0;
    if (PyErr_Occurred()) goto failed;
    FIT(width > 0 && table_length % width == 0 && solved_length == (starts_length - 1) * width,
        "the table, the spectrum and the results do not fit");
    FIT(columns_length == values_length, "one value per column is needed");
    FIT(first >= 0 && first <= stop && stop < starts_length, "rows outside of the table");
    for (i64 row = first; row < stop; row++) {
        FIT(starts[row] >= 0 && starts[row] <= starts[row + 1] && starts[row + 1] <= columns_length,
            "a row ends before it begins");
        i64 count = starts[row + 1] - starts[row];
        if (count > longest) longest = count;
    }
    if (first < stop)
        for (i64 at = starts[first]; at < starts[stop]; at++) BOUND(columns[at], table_length / width);
    SCRATCH(float, room, (5 + (longest < KEPT_ROWS ? longest : KEPT_ROWS)) * width);
    System system = {starts, columns, values, table, spectrum, solved, width, steps, ridge, unobserved};
    PyThreadState *state = PyEval_SaveThread();
    for (i64 row = first; row < stop; row++)
        if (starts[row] < starts[row + 1]) als_row(&system, row, room);
    PyEval_RestoreThread(state);
    answer = Py_NewRef(Py_None);
    END;
}

#define LOOP(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    LOOP(reach), LOOP(followed), LOOP(summed_best), LOOP(spread), LOOP(strongest), LOOP(products), LOOP(folded), LOOP(in_turns), LOOP(those_allowed),
    LOOP(best_places), LOOP(shares), LOOP(weighed), LOOP(fondness), LOOP(went_on), LOOP(rows), LOOP(scaled),
    LOOP(faded), LOOP(any_of), LOOP(within),
    LOOP(upper_links), LOOP(walk), LOOP(als_rows),
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_loops", "Loops over flat arrays; see store/loops/compiled.py.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__loops(void) { return PyModuleDef_Init(&module); }
