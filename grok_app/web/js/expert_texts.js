// What the panel of the experts says.

import { words } from "./words.js";

export const texts = words({
  en: {
    explained: (/** @type {number} */ chosen, /** @type {number} */ experts) => `In each layer the model sends every token to ${chosen} of its ${experts} `
      + "experts, and the map shows how these choices were shared out. Point at a word of the newest reply, "
      + "or walk through it with the arrow keys, to see its experts.",
    whose: "Shown", newest: "the newest reply", all: "the whole conversation", csv: "CSV", png: "PNG",
    layer: "layer", expert: "expert", caption: "Share of the choices, in percent",
    reply: "The newest reply, token by token", none: "No reply has been made here yet.",
    more: "or more", even: "evenly shared", asked: "chosen for the word pointed at", and: " and ",
    persona: "Persona", tokens: "Tokens", most: "Above the others most in", share: "Share of all choices, by expert, in percent",
    above: (/** @type {number} */ layer, /** @type {number} */ expert, /** @type {string} */ points) => `layer ${layer}, expert ${expert} (${points} points)`,
  },
  de: {
    explained: (chosen, experts) => `In jeder Schicht gibt das Modell jedes Token an ${chosen} seiner ${experts} `
      + "Experten, und die Karte zeigt, wie sich diese Wahl verteilt. Zeigen Sie auf ein Wort der neuesten Antwort, "
      + "oder gehen Sie mit den Pfeiltasten hindurch, um seine Experten zu sehen.",
    whose: "Gezeigt", newest: "die neueste Antwort", all: "das ganze Gespräch", csv: "CSV", png: "PNG",
    layer: "Schicht", expert: "Experte", caption: "Anteil an der Wahl, in Prozent",
    reply: "Die neueste Antwort, Token für Token", none: "Hier gibt es noch keine Antwort.",
    more: "oder mehr", even: "gleich verteilt", asked: "gewählt für das gezeigte Wort", and: " und ",
    persona: "Persönlichkeit", tokens: "Tokens", most: "Über den anderen am meisten in", share: "Anteil an aller Wahl, je Experte, in Prozent",
    above: (layer, expert, points) => `Schicht ${layer}, Experte ${expert} (${points} Punkte)`,
  },
});
