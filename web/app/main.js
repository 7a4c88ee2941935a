// The page: puts its cards, the microphone and the engine together. One action runs at a time; whatever goes wrong is
// told once, and everything can be tried again.

import { DelaySlider } from "./delay_slider.js";
import { ErrorBanner } from "./error_banner.js";
import { asVoxtabError, VoxtabError } from "./errors.js";
import { FileInput } from "./file_input.js";
import { Listening } from "./listening.js";
import { MakingRoom } from "./making_room.js";
import { ModelPanel } from "./model_panel.js";
import { OneAtATime } from "./one_at_a_time.js";
import { PageEngine } from "./page_engine.js";
import { Player } from "./player.js";
import { SamplePanel } from "./sample_panel.js";
import { listSamples } from "./samples.js";
import { Speaking } from "./speaking.js";
import { Transcribing } from "./transcribing.js";
import { TranscriptView } from "./transcript.js";
import { Voxtab } from "./voxtab.js";

const banner = new ErrorBanner({ offerFor: (error) => makingRoom.offer(error) });
const actions = new OneAtATime(banner);
const model = new ModelPanel({
  onLoad: (task) => actions.run((signal) => engine.load(task, signal)),
  onUnload: (task) => actions.run(() => engine.unload(task)),
  onChoose: () => speaking.update(),
  onCancel: () => actions.cancel(),
  onClearCache: () => actions.run(() => engine.clearCache()),
});
const listed = listModels().catch((error) => {
  model.setModels([], []);
  banner.show(asVoxtabError(error));
});
const engine = new PageEngine({
  model,
  listed,
  onChange: () => speaking.update(),
  onLost: (error) => actions.tells || banner.show(error),
});
const makingRoom = new MakingRoom({ engine, actions });
const speaking = new Speaking({ model, engine, actions, onError: (error) => banner.show(error) });
const player = new Player({ onPlayable: (playable) => transcript.setPlayable(playable) });
const transcript = new TranscriptView({
  onCancel: () => actions.cancel(),
  onWord: (start) => player.playFrom(start),
  onDownload: download,
});
const delay = new DelaySlider({ onChange: (ms) => listening.setDelay(ms) });
const transcribing = new Transcribing({
  engine,
  actions,
  transcript,
  player,
  delay,
  onRecording: ({ sample }) => samples.setCurrent(sample),
});
const samples = new SamplePanel({
  onPick: (sample) => transcribing.transcribe({ name: sample.title, sample }),
});
const files = new FileInput({ onFiles: take });
const listening = new Listening({
  engine,
  actions,
  transcript,
  delay,
  onBegin: () => {
    transcribing.offer(null);
    samples.setCurrent(undefined);
  },
  onKept: (recording) => transcribing.offer(recording),
  onError: (error) => banner.show(error),
});

/** @type {(words: import("./voxtab.js").Word[], format: import("./transcript.js").CaptionFormat) => Promise<void>} */
async function download(words, format) {
  try {
    const vox = await engine.open();
    transcript.offerFile(await vox.captions(words, format), format);
  } catch (thrown) {
    banner.show(asVoxtabError(thrown));
  }
}

/** A model if they look like one, else a recording. @param {File[]} files */
function take(files) {
  const looksLikeModel = files.some(({ name }) => /\.gguf$|^shard-[a-z]{2,4}$|^manifest\.json$/.test(name));
  if (looksLikeModel && !actions.busy) {
    const task = model.chooseFiles(files);
    actions.run((signal) => engine.load(task, signal));
  } else {
    transcribing.transcribe({ name: files[0].name, file: files[0] });
  }
}

async function listModels() {
  const { models, problems } = await Voxtab.catalogue();
  model.setModels(models, problems);
  if (models.length + problems.length === 0) {
    throw new VoxtabError(
      "model-missing",
      "The server offers no model.",
      "Put one below its --models folder and reload, or open model files of your own.",
    );
  }
}

for (const card of [model, listening, samples, files, transcribing, speaking]) actions.add(card);
listSamples().then(
  (list) => samples.setSamples(list),
  (error) => samples.setFailed(asVoxtabError(error)),
);
engine.open().catch((error) => banner.show(asVoxtabError(error)));
