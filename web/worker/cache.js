// Where verified model bytes are kept between visits: an interface of five verbs, and its implementation on the
// origin-private file system. A model is a folder; its key is a hash of what it holds, so a key never changes meaning.

/**
 * @typedef {object} Store
 * @property {(key: string, name: string, offset: number, into: Uint8Array<ArrayBuffer>) => Promise<boolean>} read
 *   fills `into`; false when the file does not hold that many bytes
 * @property {(key: string, name: string, offset: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>} write
 *   throws a DOMException QuotaExceededError when full, NoModificationAllowedError when another tab has the file open
 * @property {(key: string, name: string) => Promise<number>} size -1 when absent
 * @property {() => Promise<{key: string, bytes: number}[]>} list every key, with the bytes it takes
 * @property {(key: string) => Promise<void>} delete
 * @property {(key: string) => void} close lets go of the files of a key; until then they are locked against other tabs
 */

const MODELS = "voxtab-models";

/** @implements {Store} */
export class OpfsStore {
  /** @type {Map<string, {handle: FileSystemSyncAccessHandle, writable: boolean}>} */
  #open = new Map();
  #folder;

  /** @param {string} [folder] of this origin's */
  constructor(folder = MODELS) {
    this.#folder = folder;
  }

  /** @returns {boolean} whether this browser has synchronous access handles */
  static get supported() {
    return "storage" in navigator && "FileSystemSyncAccessHandle" in globalThis;
  }

  /** @type {Store["read"]} */
  async read(key, name, offset, into) {
    const handle = await this.#handle(key, name, false);
    return handle?.read(into, { at: offset }) === into.length;
  }

  /** @type {Store["write"]} */
  async write(key, name, offset, bytes) {
    const handle = await this.#handle(key, name, true);
    const written = handle?.write(bytes, { at: offset }) ?? 0;
    if (written !== bytes.length) throw new DOMException("the disk took only a part", "QuotaExceededError");
  }

  /** @type {Store["size"]} */
  async size(key, name) {
    return (await this.#handle(key, name, false))?.getSize() ?? -1;
  }

  /** @type {Store["list"]} */
  async list() {
    const models = [];
    const root = await this.#root(false);
    for await (const [key, entry] of root?.entries() ?? []) {
      if (entry.kind !== "directory") continue;
      let bytes = 0;
      for await (const file of /** @type {FileSystemDirectoryHandle} */ (entry).values()) {
        if (file.kind === "file") bytes += (await /** @type {FileSystemFileHandle} */ (file).getFile()).size;
      }
      models.push({ key, bytes });
    }
    return models;
  }

  /** @type {Store["delete"]} */
  async delete(key) {
    this.close(key);
    const root = await this.#root(false);
    try {
      await root?.removeEntry(key, { recursive: true });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** @type {Store["close"]} */
  close(key) {
    for (const [path, { handle }] of this.#open) {
      if (!path.startsWith(`${key}/`)) continue;
      handle.close(); // flushes
      this.#open.delete(path);
    }
  }

  /**
   * Readers share a file; a writer has it alone.
   * @param {string} key @param {string} name @param {boolean} writable
   * @returns {Promise<FileSystemSyncAccessHandle | null>} null when it is absent and not to be written
   */
  async #handle(key, name, writable) {
    const path = `${key}/${name}`;
    const open = this.#open.get(path);
    if (open && (open.writable || !writable)) return open.handle;
    open?.handle.close();
    this.#open.delete(path);
    try {
      const root = await this.#root(writable);
      const folder = await root?.getDirectoryHandle(key, { create: writable });
      const file = await folder?.getFileHandle(name, { create: writable });
      // `mode` is newer than the types; where it is unknown the handle is exclusive, which is merely stricter
      const mode = /** @type {any} */ ({ mode: writable ? "readwrite" : "read-only" });
      const handle = await /** @type {any} */ (file)?.createSyncAccessHandle(mode);
      if (!handle) return null;
      this.#open.set(path, { handle, writable });
      return handle;
    } catch (error) {
      if (isNotFound(error) && !writable) return null;
      throw error;
    }
  }

  /** @param {boolean} create @returns {Promise<FileSystemDirectoryHandle | null>} */
  async #root(create) {
    try {
      return await (await navigator.storage.getDirectory()).getDirectoryHandle(this.#folder, { create });
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }
}

/** @param {unknown} error */
function isNotFound(error) {
  return error instanceof DOMException && error.name === "NotFoundError";
}
