// From a text to sound: the speech card with the model that is chosen to speak.

import { SpeakPanel } from "./speak_panel.js";

const TASK = "text-to-speech";

export class Speaking {
  #model;
  #engine;
  #panel;

  /**
   * @param {object} parts
   * @param {import("./model_panel.js").ModelPanel} parts.model
   * @param {import("./page_engine.js").PageEngine} parts.engine
   * @param {import("./one_at_a_time.js").OneAtATime} parts.actions
   * @param {(error: import("./errors.js").VoxtabError) => void} parts.onError
   */
  constructor({ model, engine, actions, onError }) {
    this.#model = model;
    this.#engine = engine;
    this.#panel = new SpeakPanel({
      run: (work) =>
        actions.run(async (signal) => {
          const vox = await engine.open(signal);
          if (!engine.loaded(TASK)) {
            this.#panel.setStatus("Loading the model first…");
            await engine.load(TASK, signal);
          }
          this.#panel.setStatus("Waiting for the first sound…");
          try {
            await work(vox, signal);
          } finally {
            await engine.showMemory();
          }
        }),
      onCancel: () => actions.cancel(),
      onError,
    });
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#panel.setBusy(busy);
  }

  /** Models came, went, or others are chosen: the card is there when one of them speaks. */
  update() {
    this.#panel.setShown(this.#model.offers(TASK));
    this.#panel.setModel(this.#engine.loaded(TASK));
  }
}
