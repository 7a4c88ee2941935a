// Two models do not always fit side by side: then one click puts the one in place of the other.

/** @typedef {import("./errors.js").VoxtabError} VoxtabError */
/** @typedef {import("./voxtab.js").Task} Task */

const NAMES = { "speech-to-text": "the speech-to-text model", "text-to-speech": "the text-to-speech model" };

export class MakingRoom {
  #engine;
  #actions;

  /**
   * @param {object} parts
   * @param {import("./page_engine.js").PageEngine} parts.engine
   * @param {import("./one_at_a_time.js").OneAtATime} parts.actions
   */
  constructor({ engine, actions }) {
    this.#engine = engine;
    this.#actions = actions;
  }

  /**
   * @param {VoxtabError} error that the page is about to tell
   * @returns {import("./error_banner.js").Offer | null} where it says that another model is in the way
   */
  offer({ code, hint }) {
    if (code !== "adapter-too-small") return null;
    const inTheWay = this.#engine.models.find(({ name }) => hint.includes(name));
    if (!inTheWay) return null;
    const { task, name } = inTheWay;
    const wanted = this.#engine.wanted;
    return {
      label: `Unload ${name || NAMES[task]} and try again`,
      accept: () =>
        this.#actions.run(async (signal) => {
          await this.#engine.unload(task);
          await this.#engine.load(wanted, signal);
        }),
    };
  }
}
