//! The pictures of README and `docs/tour.md`, taken of a running consortium. `docs/make-pictures`
//! keeps them; otherwise the tests only check that they are there and small enough.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::env;
use std::path::PathBuf;

use crate::browser::{Browser, Driver};
use crate::cluster::Cluster;
use crate::people::PASSWORD;
use crate::watch::{order, page, until};

/// Most bytes of a picture: pictures are looked at on telephones too.
const PICTURE_BYTES_MAX: usize = 100_000;
/// The variable that names a folder to keep the pictures in, if somebody wants them kept.
const FOLDER: &str = "NETBANKING_PICTURES";

/// Takes a picture of the page, as wide as this and down to the end of an element, and puts it into
/// the folder.
async fn take(browser: &Browser, width: u32, last: &str, name: &str) {
    browser.prefer("light").await;
    browser.evaluate("document.activeElement.blur()").await;
    let png = smaller(&browser.screenshot(width, last).await);
    if let Some(folder) = env::var_os(FOLDER) {
        std::fs::write(PathBuf::from(folder).join(name), &png).unwrap();
    }
    assert!(png.len() < PICTURE_BYTES_MAX, "{name} has {} bytes", png.len());
}

/// The same picture in its 256 most frequent colours, with every other one replaced by the nearest
/// of them: pages have few colours, and shades between ink and paper.
fn smaller(png: &[u8]) -> Vec<u8> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let colours =
        || bytes.chunks(info.color_type.samples()).map(|pixel| [pixel[0], pixel[1], pixel[2]]);

    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    colours().for_each(|colour| *counts.entry(colour).or_default() += 1);
    let mut palette: Vec<_> = counts.keys().copied().collect();
    palette.sort_by_key(|colour| (Reverse(counts[colour]), *colour));
    palette.truncate(256);
    let nearest = |colour: [u8; 3]| {
        let distance = |other: &[u8; 3]| {
            (0..3).map(|part| u32::from(colour[part].abs_diff(other[part])).pow(2)).sum()
        };
        (0..=u8::MAX).zip(&palette).min_by_key(|(_, other)| -> u32 { distance(other) }).unwrap().0
    };
    let index: HashMap<_, _> = counts.keys().map(|colour| (*colour, nearest(*colour))).collect();

    let mut written = Vec::new();
    let mut encoder = png::Encoder::new(&mut written, info.width, info.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let pixels: Vec<_> = colours().map(|colour| index[&colour]).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    written
}

#[actix_rt::test]
async fn the_internet_bank_is_pictured() {
    let cluster = Cluster::start(3, "sessions").await;
    let driver = Driver::start();
    let ana = driver.browser().await;
    ana.register(&cluster, 1, "Padaria Pão Quente", "padaria", "11.222.333/0001-81").await;
    ana.open_account(1, "50").await;
    ana.press("Sair").await;
    ana.find("main [name='senha']").await;
    ana.register(&cluster, 0, "Ana Souza", "ana", "111.444.777-35").await;
    ana.open_account(0, "1.250,00").await;
    ana.open_account(2, "80,50").await;
    ana.open(&cluster.url(0, "/")).await;
    ana.sees("R$ 1.330,50").await;
    take(&ana, 1_040, "body", "overview.png").await;

    ana.press("Pacote").await;
    ana.add_cash("D", 2, "100,00", 1).await;
    ana.add_pix(0, "340,50", "2:ana", "Ana Souza", 2).await;
    ana.add_pix(2, "12,90", "1:padaria", "Padaria Pão Quente", 3).await;
    take(&ana, 1_040, "body", "package.png").await;

    ana.press("Confirmar 3").await;
    ana.sees("Pacote executado").await;
    ana.open(&cluster.url(0, "/pacote")).await;
    ana.add_cash("D", 2, "10,00", 1).await;
    ana.add_pix(0, "5.000,00", "1:padaria", "Padaria Pão Quente", 2).await;
    ana.press("Confirmar 2").await;
    ana.sees("Esta operação foi recusada").await;
    take(&ana, 1_040, "body", "refused.png").await;

    ana.press("Pix").await;
    ana.fill("pix", "padaria").await;
    ana.press("Continuar").await;
    ana.fill("valor", "12,90").await;
    ana.fill("mensagem", "pão de queijo").await;
    ana.press("Continuar").await;
    ana.fill("senha", PASSWORD).await;
    ana.press("Pagar").await;
    ana.sees("Pix feito").await;
    take(&ana, 760, ".receipt", "receipt.png").await;
    ana.close().await;
}

#[actix_rt::test]
async fn the_consortium_is_pictured() {
    let cluster = Cluster::start_laboratory(3).await;
    let driver = Driver::start();
    let shown = page(&cluster, &driver, 0).await;
    shown.click("#atraso option[value='500']").await;
    shown.click("#atrasar").await;
    until(
        &shown,
        "return document.getElementById('atraso-agora').textContent === 'Atraso agora: 500 ms'",
    )
    .await;
    shown.click("#evento-aqui").await;
    order(&shown, 1).await;
    shown.click("#evento-todos").await;
    let ids = order(&shown, 4).await;
    shown.click("#evento-aqui").await;
    until(&shown, "return document.querySelector('#espera li') !== null").await;
    shown.click("#pausar").await;
    shown.click(&format!("#diagrama .dot[data-id=\"{}\"]", ids[2])).await;
    until(
        &shown,
        "return document.getElementById('historia-titulo').textContent.startsWith('Evento')",
    )
    .await;
    take(&shown, 1_040, "#historia", "consortium.png").await;
    shown.close().await;
}
