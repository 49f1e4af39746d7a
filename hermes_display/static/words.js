// The wall's own words. What sensors, nodes and the hub say is shown as it came.

import { root } from "./dom.js";

const two = (number) => String(number).padStart(2, "0");

const ENGLISH = {
  live: "Live alerts", noAlerts: "Nothing to look at", noTactics: "None was named", lastDay: "Last 24 h", day: "24 h",
  tactics: "Top ATT&CK tactics", nodes: "Nodes", stale: "STALE", waiting: "Waiting for the first client",
  critical: "critical", high: "high", medium: "medium", low: "low", unknown: "unrated", open: "open",
  CRITICAL: "CRITICAL",
  states: {
    critical: "CRITICAL", silent: "SILENT", blind: "BLIND", high: "HIGH", late: "LATE", medium: "WATCH",
    handled: "IN HAND", quiet: "QUIET", off: "DISABLED",
  },
  signs: { critical: "CRIT", high: "HIGH", medium: "MED", low: "LOW", unknown: "?" },
  care: { silent: "silent", blind: "blind", late: "late" },
  units: { s: "s", min: "min", h: "h", d: "d" },
  node: (number) => (number === 1 ? "node" : "nodes"),
  healthy: (good, total) => `${good} of ${total} healthy`,
  page: (page, pages) => `page ${page}/${pages}`,
  verdict: (state, number, first) => `${number}${first ? (number === 1 ? " client" : " clients") : ""} ${state}`,
  quiet: "All clients quiet", none: "No clients yet",
  hour: (count, usual) => (usual === null ? `${count} this hour` : `${count} this hour, usually ${usual}`),
  more: (number) => `+${number} more`,
  silentNode: "silent", newNode: "never connected",
  up: "Zeus live", down: "Zeus away", away: "Hermes away", connecting: "connecting",
  lost: (time) => `No contact with Zeus for ${time}. What you see is old.`,
  never: "No contact with Zeus yet.",
  refused: (reason) => `Zeus does not let this screen in: ${reason}`,
  silentService: (time) => `Hermes has not answered for ${time}. What you see is old.`,
  number: (text) => text,
  severity: (severity) => ENGLISH[severity],
  tactic: (name) => name,
};

const FRENCH_TACTICS = new Map(Object.entries({
  reconnaissance: "Reconnaissance", "resource development": "Préparation de moyens", "initial access": "Accès initial",
  execution: "Exécution", persistence: "Persistance", "privilege escalation": "Élévation de privilèges",
  "defense evasion": "Évasion des défenses", "credential access": "Accès aux identifiants",
  discovery: "Découverte", "lateral movement": "Déplacement latéral", collection: "Collecte",
  "command and control": "Commande et contrôle", exfiltration: "Exfiltration", impact: "Impact",
}));

const FRENCH = {
  live: "Alertes en direct", noAlerts: "Rien à regarder", noTactics: "Aucune n’a été nommée",
  lastDay: "Dernières 24 h", day: "24 h",
  tactics: "Tactiques ATT&CK", nodes: "Nœuds", stale: "PÉRIMÉ", waiting: "En attente du premier client",
  critical: "critique", high: "élevé", medium: "moyen", low: "bas", unknown: "non classé", open: "en cours",
  CRITICAL: "CRITIQUE",
  states: {
    critical: "CRITIQUE", silent: "MUET", blind: "AVEUGLE", high: "ÉLEVÉ", late: "EN RETARD", medium: "À SUIVRE",
    handled: "EN COURS", quiet: "CALME", off: "DÉSACTIVÉ",
  },
  signs: { critical: "CRIT", high: "ÉLEV", medium: "MOY", low: "BAS", unknown: "?" },
  care: { silent: "muet", blind: "aveugle", late: "retard" },
  units: { s: "s", min: "min", h: "h", d: "j" },
  node: (number) => (number > 1 ? "nœuds" : "nœud"),
  healthy: (good, total) => `${good} sur ${total} en bon état`,
  page: (page, pages) => `page ${page}/${pages}`,
  verdict: (state, number, first) => {
    const many = number > 1;
    const word = {
      critical: many ? "critiques" : "critique", silent: many ? "muets" : "muet",
      blind: many ? "aveugles" : "aveugle", high: many ? "élevés" : "élevé", late: "en retard",
    }[state];
    return `${number}${first ? (many ? " clients" : " client") : ""} ${word}`;
  },
  quiet: "Tout est calme", none: "Aucun client",
  hour: (count, usual) => (usual === null ? `${count} cette heure` : `${count} cette heure, usuel ${usual}`),
  more: (number) => (number > 1 ? `+${number} autres` : "+1 autre"),
  silentNode: "muet", newNode: "jamais connecté",
  up: "Zeus en direct", down: "Zeus absent", away: "Hermes absent", connecting: "connexion",
  lost: (time) => `Sans contact avec Zeus depuis ${time}. Cet affichage est périmé.`,
  never: "Pas encore de contact avec Zeus.",
  refused: (reason) => `Zeus refuse cet écran : ${reason}`,
  silentService: (time) => `Hermes ne répond plus depuis ${time}. Cet affichage est périmé.`,
  number: (text) => text.replace(".", ","),
  severity: (severity, number) => {
    const many = !["0", "1"].includes(number) && severity !== "low";
    return FRENCH[severity] + (many ? "s" : "");
  },
  tactic: (name) => FRENCH_TACTICS.get(name.toLowerCase()) ?? name,
};

export const LANGUAGES = { en: ENGLISH, fr: FRENCH };
export const words = LANGUAGES[root.lang] ?? ENGLISH;

export const clock = (date) => [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");

// How long something has lasted by the service's account, as [14, "min"].
export const aged = (age) => (age ? `${age[0]} ${words.units[age[1]]}` : "");

export function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return aged([seconds, "s"]);
  if (seconds < 7200) return aged([Math.floor(seconds / 60), "min"]);
  return aged([Math.floor(seconds / 3600), "h"]);
}

export function label() {
  for (const target of document.querySelectorAll("[data-word]")) target.textContent = words[target.dataset.word];
}
