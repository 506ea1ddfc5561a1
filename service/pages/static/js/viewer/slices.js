// Slices, label slices and heat maps of one reading: fetched once, kept while memory allows, neighbours ahead.

const MOST_BYTES = 256 * 2 ** 20;
const AHEAD = 4;
const AT_ONCE = 4;

/** Store of one reading. `api`: {bytes(path)}. */
export class SliceStore {
  constructor(api, readingId) {
    this.api = api;
    this.base = `/readings/${encodeURIComponent(readingId)}`;
    this.kept = new Map();
    this.bytes = 0;
    this.waiting = [];
    this.running = 0;
    this.ended = false;
  }

  /** Stored numbers of a slice as Uint16Array (bits of int16), or null until they are there. */
  peek(series, k, kind = "slices") {
    const item = this.kept.get(this.#path(series, k, kind));
    return item?.data ?? null;
  }

  /** The same as a promise. */
  load(series, k, kind = "slices") {
    return this.#get(this.#path(series, k, kind), (buffer) => new Uint16Array(buffer), true);
  }

  /** Heat map of a finding as an ImageBitmap; rejected with the server's reason where there is none. */
  heat(findingId) {
    const path = `${this.base}/saliency/${encodeURIComponent(findingId)}`;
    return this.#get(path, (buffer) => createImageBitmap(new Blob([buffer], { type: "image/png" })), true);
  }

  /** Ask for the slices round k, nearest first. */
  prefetch(series, k) {
    for (let away = 1; away <= AHEAD; away += 1) {
      for (const index of [k + away, k - away]) {
        if (index < 0 || index >= series.slices) continue;
        for (const kind of series.has_labels ? ["slices", "labels"] : ["slices"]) {
          this.#get(this.#path(series, index, kind), (buffer) => new Uint16Array(buffer), false).catch(() => {
            // asked for again, and told, when the slice is shown
          });
        }
      }
    }
  }

  /** Forget everything; nothing is fetched any more. */
  close() {
    this.ended = true;
    this.waiting = [];
    this.kept.clear();
  }

  #path(series, k, kind) {
    return `${this.base}/series/${encodeURIComponent(series.id)}/${kind}/${k}`;
  }

  #get(path, read, isUrgent) {
    const known = this.kept.get(path);
    if (known) {
      this.kept.delete(path);
      this.kept.set(path, known); // youngest last
      if (isUrgent) this.#hurry(path);
      return known.promise;
    }
    const item = { data: null, size: 0 };
    item.promise = new Promise((resolve, reject) => {
      this.waiting[isUrgent ? "unshift" : "push"]({ path, resolve, reject });
    }).then(async (buffer) => {
      item.size = buffer.byteLength;
      item.data = await read(buffer);
      this.bytes += item.size;
      this.#makeRoom();
      return item.data;
    });
    item.promise.catch(() => this.kept.delete(path));
    this.kept.set(path, item);
    this.#next();
    return item.promise;
  }

  #hurry(path) {
    const place = this.waiting.findIndex((task) => task.path === path);
    if (place > 0) this.waiting.unshift(...this.waiting.splice(place, 1));
  }

  #next() {
    while (this.running < AT_ONCE && this.waiting.length > 0) {
      const task = this.waiting.shift();
      this.running += 1;
      this.api.bytes(task.path).then(task.resolve, task.reject).finally(() => {
        this.running -= 1;
        if (!this.ended) this.#next();
      });
    }
  }

  #makeRoom() {
    for (const [path, item] of this.kept) {
      if (this.bytes <= MOST_BYTES) return;
      if (item.data === null) continue;
      this.kept.delete(path);
      this.bytes -= item.size;
    }
  }
}
