// The viewer: a click on a plate shows it large. Without scripts the link opens the picture itself.
const viewer = document.querySelector(".viewer");
const image = viewer?.querySelector("img");
const plates = [...document.querySelectorAll(".plates a")];
let shown = 0;

function show(index) {
  shown = (index + plates.length) % plates.length;
  const plate = plates[shown].querySelector("img");
  image.src = plate.src;
  image.alt = plate.alt;
  viewer.querySelector("p").textContent = plates[shown].parentElement.querySelector("figcaption").textContent;
  if (!viewer.open) viewer.showModal();
}

plates.forEach((plate, index) =>
  plate.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(index);
  }),
);
viewer?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") show(shown + 1);
  if (event.key === "ArrowLeft") show(shown - 1);
});
viewer?.addEventListener("click", (event) => {
  if (event.target === viewer) viewer.close();
});
