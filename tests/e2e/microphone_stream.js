// In the microphone's place: a tone of 500 Hz, made in the very graph that hears it, so that whatever is missing from it
// was lost behind it. `microphone.unplug()` ends it as a device that is gone does. `microphone.onlyAt48k` makes the
// browser one that, like Firefox, gives a graph of another rate no microphone.

window.microphone = { onlyAt48k: false, rate: 0 };

navigator.mediaDevices.getUserMedia = async () => {
  const { stream } = new AudioContext().createMediaStreamDestination();
  const [track] = stream.getTracks();
  window.microphone.track = track;
  window.microphone.unplug = () => {
    track.stop();
    track.dispatchEvent(new Event("ended"));
  };
  return stream;
};

AudioContext.prototype.createMediaStreamSource = function () {
  if (window.microphone.onlyAt48k && this.sampleRate !== 48000) throw new DOMException("no", "NotSupportedError");
  window.microphone.rate = this.sampleRate;
  const tone = new OscillatorNode(this, { frequency: 500 });
  const level = new GainNode(this, { gain: 0.5 });
  tone.connect(level);
  tone.start();
  return level;
};

window.AudioContext = class extends AudioContext {
  constructor(options) {
    super({ sampleRate: 48000, ...options });
  }
};
