// The page: puts its cards, the microphone and the engine together. One action runs at a time; whatever goes wrong is
// told once, and everything can be tried again.

import { ErrorBanner } from "./error_banner.js";
import { asVoxtabError, VoxtabError } from "./errors.js";
import { FileInput } from "./file_input.js";
import { MakingRoom } from "./making_room.js";
import { MicPanel } from "./mic_panel.js";
import { ModelPanel } from "./model_panel.js";
import { OneAtATime } from "./one_at_a_time.js";
import { PageEngine } from "./page_engine.js";
import { SamplePanel } from "./sample_panel.js";
import { listSamples } from "./samples.js";
import { Speaking } from "./speaking.js";
import { Transcribing } from "./transcribing.js";
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
const transcribing = new Transcribing({
  engine,
  actions,
  onRecording: ({ sample }) => samples.setCurrent(sample),
});
const samples = new SamplePanel({
  onPick: (sample) => transcribing.transcribe({ name: sample.title, sample }),
});
const files = new FileInput({ onFiles: take });
const mic = new MicPanel({
  onStart: () => {
    if (!actions.hold()) return false;
    transcribing.setStatus("Waiting for the microphone…");
    return true;
  },
  onOpened: () => transcribing.setStatus("Recording…"),
  onRecorded: (pcm) => {
    actions.release();
    const time = new Date().toLocaleString("sv").replaceAll(":", "-");
    transcribing.transcribe({ name: `recording ${time}`, pcm });
  },
  onError: (error) => {
    actions.release();
    transcribing.setStatus(error.code === "cancelled" ? "Cancelled." : "Nothing was recorded.");
    banner.show(error);
  },
});

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

for (const card of [model, mic, samples, files, transcribing, speaking]) actions.add(card);
listSamples().then(
  (list) => samples.setSamples(list),
  (error) => samples.setFailed(asVoxtabError(error)),
);
engine.open().catch((error) => banner.show(asVoxtabError(error)));
