"""The words of which the passages are made: names of people, and what they may like.

No liking is, as words, a part of another, and no name is a word of a liking.
"""

from __future__ import annotations

__all__ = ["FIRST_NAMES", "LAST_NAMES", "LIKINGS"]


def _listed(text: str, mark: str | None = None) -> list[str]:
    """What stands between the marks (any blanks where None), on one line each."""
    return [" ".join(one.split()) for one in text.split(mark)]


FIRST_NAMES = _listed("""
Aaron Abigail Adam Adele Adrian Agnes Ahmed Aisha Alan Alba Albert Alexandra Alfred Alice Alina Alma Alvin
Amara Amelia Amir Amos Ana Anders Andrea Angus Anika Anita Anton Arjun Arlene Arnold Arthur Astrid Audrey
August Barbara Beatrice Benedict Benjamin Bernard Bertha Bianca Birgit Blanche Bogdan Boris Brenda Bridget
Bruno Bryce Caleb Camila Carla Carlos Caroline Casper Catherine Cecilia Cedric Celeste Charlotte Chester
Chiara Christian Clara Claude Clifford Colette Conrad Constance Cordelia Cyril Dagmar Damian Daniel Daphne
Darius David Deborah Delia Desmond Diana Dieter Dimitri Dolores Dominic Dorothy Douglas Duncan Edgar Edith
Edmund Eduardo Edwin Eileen Elena Elias Elisa Elizabeth Elliot Elmer Elsa Elvira Emil Emma Enid Enrique Eric
Ernest Esther Eugene Eunice Eva Evelyn Ezra Fabian Fatima Felicity Felix Ferdinand Fergus Fiona Florence
Frances Francis Franz Frederick Frieda Gabriel Gareth Gavin Genevieve Geoffrey George Gerald Gertrude Gideon
Gilbert Giovanni Gladys Gloria Gordon Grace Graham Gregor Greta Guido Gustav Gwen Hannah Hans Harold Harriet
Harvey Hassan Hector Heidi Helena Henrik Henry Herbert Hilda Hiroshi Horace Howard Hubert Hugo Ibrahim Ida
Ignacio Igor Imogen Ingrid Irene Isaac Isabel Ivan Jacob James Jamila Janet Jasmin Jeremy Jerome Joachim
Joanna Johanna Jonas Jorge Josephine Joshua Judith Julian Juliet Justin Karen Karim Karl Katarina Kenneth
Kevin Khalid Klara Klaus Kurt Lambert Lars Laura Lawrence Leah Leila Leonard Leopold Leslie Lewis Lillian
Linda Lorenzo Louisa Lucas Lucinda Ludwig Luisa Lydia Mabel Magnus Malcolm Manuel Marcus Margaret Maria
Marianne Marina Mario Martha Martin Matilda Matthew Maurice Maximilian Melanie Mercedes Michael Mildred Milton
Miriam Mohammed Monica Morgan Moses Muriel Nadia Naomi Natalie Nathan Neil Nelson Nicholas Nigel Nina Noel
Nora Norman Octavia Olaf Olivia Omar Ophelia Oscar Oswald Otto Pablo Pamela Patricia Paul Paula Pedro Penelope
Percival Peter Philip Phoebe Phyllis Pierre Priya Quentin Rachel Rafael Ralph Ramona Raymond Rebecca Regina
Reginald Renata Richard Roberta Roderick Roger Roland Romeo Rosalind Rudolf Rupert Ruth Sabine Salma Samuel
Sandra Sarah Saul Sebastian Selma Serena Seymour Sheila Sidney Sigrid Silvia Simon Sofia Solomon Sonia Stanley
Stella Stephen Susanna Sven Sylvester Tabitha Tamara Tariq Tatiana Theodore Theresa Thomas Tobias Trevor
Tristan Ulrich Ursula Valentin Valerie Vanessa Vera Veronica Victor Vincent Virgil Vivian Vladimir Wallace
Walter Wanda Wendy Wilfred Wilhelm William Winifred Yolanda Yusuf Yvonne Zachary Zara Zelda Zoe
""")

LAST_NAMES = _listed("""
Abbott Abernathy Ackerman Adams Ahlberg Aldridge Allard Amado Andersen Appleby Aranda Armitage Ashworth Atkins
Auerbach Averill Babcock Bachmann Bailey Balfour Banerjee Barlow Bartlett Bassett Bauer Beckett Bellamy Benson
Bergman Bianchi Blackwell Blair Blomqvist Bolton Borowski Bradshaw Brandt Brennan Brewster Bronson Buchanan
Burgess Burnett Byrne Caldwell Calloway Cameron Campbell Cardoso Carlisle Carmichael Castellanos Chadwick
Chakraborty Chandler Chaudhry Christensen Clayton Coleman Collins Conway Cooper Corbett Cortez Crawford
Cromwell Cunningham Curtis Dalton Danvers Davenport Dawson Delgado Dempsey Denham Dickinson Dombrowski Donovan
Drummond Dubois Dunbar Durand Eastwood Eberhardt Eckstein Edwards Ellington Ellsworth Emerson Engström
Erickson Espinoza Everett Fairchild Farrell Faulkner Ferguson Fernandes Finnegan Fischer Fitzgerald Fleming
Forrester Fournier Franklin Friedman Fujimoto Gallagher Galloway Garfield Garrison Gauthier Gibson Gilmore
Goddard Goldberg Gonzalez Goodwin Grantham Greenwood Griffiths Grimaldi Grosvenor Gunderson Gupta Haddad
Halvorsen Hamilton Hancock Hansen Hargreaves Harrington Hartmann Hastings Hathaway Hayashi Henderson Hernandez
Herrera Hewitt Hoffmann Holbrook Holloway Hopkins Horvath Houghton Huang Hutchinson Ibáñez Ingram Ishikawa
Ivanova Jackson Jacobsen Jamieson Jankovic Jefferson Jennings Johansson Johnston Jovanovic Kaczmarek Kaminski
Kapoor Karlsson Kaufman Keating Kelleher Kendrick Kennedy Khatun Kimura Kirkpatrick Klein Knudsen Kobayashi
Kovacs Kowalski Krishnan Kruger Lancaster Langley Larsen Laurent Lawson Leclerc Leighton Lennox Lindqvist
Livingston Lombardi Lopez Lovelace Lundgren MacDonald Mackenzie Maddox Magnusson Malone Marchetti Markham
Marlowe Marquez Marshall Martinez Mathieson Matsumoto Maxwell Mazur McAllister McCarthy McGregor McIntyre
Mendoza Merriweather Middleton Miller Mitchell Montague Montgomery Moreau Moretti Mortimer Mukherjee Murdoch
Murphy Nakamura Navarro Neumann Newcombe Nguyen Nicolson Nikolaidis Norwood Novak Obrien Ochoa Ogden Okafor
Okonkwo Oldfield Oliveira Olsson Oppenheim Orlando Ortega Osborne Osterman Owens Pacheco Paddington Pappas
Parkinson Patel Pemberton Pennington Pereira Petersen Petrov Pettigrew Pickering Popescu Prescott Pritchard
Quigley Quinlan Radcliffe Ramirez Ramsay Rasmussen Redmond Reinhardt Reynolds Ribeiro Richardson Ridley
Rinaldi Robertson Rodriguez Romero Rosenberg Rothschild Rousseau Rutherford Saavedra Salazar Sanderson
Santiago Sato Saunders Schmidt Schneider Schröder Schulz Sepulveda Severin Shapiro Sheridan Silverman Simmons
Sinclair Skinner Slater Sokolov Sorensen Spencer Stafford Stanhope Steinberg Stephenson Stewart Stockton
Strickland Sullivan Sutherland Svensson Swanson Szabo Takahashi Tanaka Templeton Thackeray Thatcher Thompson
Thornton Tiberius Tolstoy Torres Townsend Trevelyan Tsang Tucker Underhill Underwood Upton Valdez Vandermeer
Vasquez Vaughan Velasco Vickers Villanueva Volkov Wagner Wainwright Wakefield Wallenberg Walsh Wang Washington
Watanabe Weatherby Webster Weinstein Wellesley Westbrook Whitaker Whitfield Wilkinson Williamson Winslow
Winthrop Wolff Woodward Worthington Wozniak Yamamoto Yilmaz Yoshida Zamora Zielinski Zimmerman
""")

LIKINGS = _listed(
    """
aardvarks, abalones, adders, agoutis, albatrosses, alligators, alpacas, anacondas, anchovies, anteaters,
antelopes, armadillos, axolotls, baboons, badgers, barnacles, barracudas, basilisks, beagles, beavers, beluga
whales, bison, blackbirds, bloodhounds, bluebirds, boars, bobcats, bonobos, budgerigars, buffaloes, bulldogs,
bullfinches, bumblebees, butterflies, buzzards, caimans, camels, canaries, capybaras, caracals, cardinals,
caribou, cassowaries, caterpillars, catfish, centipedes, chaffinches, chameleons, cheetahs, chickadees,
chihuahuas, chimpanzees, chinchillas, chipmunks, cicadas, civets, clownfish, coatis, cobras, cockatoos,
collies, condors, cormorants, cougars, cows, coyotes, crabs, cranes, crayfish, crickets, crocodiles, crows,
cuckoos, curlews, cuttlefish, dachshunds, dalmatians, damselflies, dingoes, dolphins, donkeys, dormice, doves,
dragonflies, dromedaries, ducks, dugongs, eagles, earthworms, earwigs, echidnas, eels, egrets, elephants, elk,
emus, ermines, falcons, fennec foxes, ferrets, fireflies, flamingos, flounders, fossas, frogs, gazelles,
geckos, geese, gerbils, gibbons, giraffes, gnus, goats, goldfinches, gophers, gorillas, goshawks,
grasshoppers, greyhounds, grouse, guanacos, guillemots, guinea pigs, gulls, guppies, haddock, halibut,
hamsters, hares, harriers, hawks, hedgehogs, herons, herring, hippopotamuses, hoopoes, hornbills, hornets,
horses, hummingbirds, huskies, hyenas, hyraxes, ibexes, ibises, iguanas, impalas, jackals, jackdaws, jaguars,
jellyfish, jerboas, kangaroos, kestrels, kingfishers, kinkajous, kites, kittens, kiwis, koalas, koi, komodo
dragons, krill, kudus, labradors, ladybirds, lampreys, lapwings, larks, leeches, lemmings, lemurs, leopards,
limpets, lionfish, lions, lizards, llamas, lobsters, locusts, loons, lorikeets, lynxes, macaques, macaws,
mackerel, magpies, mallards, manatees, mandrills, manta rays, marlins, marmosets, marmots, martens, mastiffs,
mayflies, meerkats, midges, millipedes, minnows, moles, mongooses, moose, mosquitoes, moths, mules, muskrats,
mussels, narwhals, newts, nightingales, nightjars, nuthatches, ocelots, octopuses, okapis, opossums,
orangutans, orcas, orioles, ospreys, ostriches, otters, owls, oxen, oysters, pandas, pangolins, panthers,
parakeets, parrots, partridges, peacocks, pelicans, penguins, peregrines, petrels, pheasants, pigeons,
piranhas, plaice, platypuses, plovers, polecats, ponies, poodles, porcupines, porpoises, possums, prawns,
puffins, pufferfish, pugs, pumas, pythons, quails, quetzals, quokkas, rabbits, raccoons, rattlesnakes, ravens,
reindeer, rhinoceroses, roadrunners, robins, roosters, salamanders, salmon, sandpipers, sardines, scallops,
scarabs, scorpions, seahorses, seals, serval cats, sharks, sheep, shrews, shrimp, siamangs, skinks, skuas,
skunks, sloths, slugs, snails, snipes, spaniels, sparrows, spiders, spoonbills, squid, squirrels, starfish,
starlings, stick insects, stingrays, stoats, storks, sturgeons, swallows, swans, swifts, swordfish, tadpoles,
tamarins, tapirs, tarantulas, tarsiers, termites, terns, terrapins, terriers, thrushes, tigers, toads,
tortoises, toucans, trout, tuna, turbot, turkeys, turtles, vicuñas, vipers, voles, vultures, wagtails,
wallabies, walruses, warblers, wasps, waterbucks, weasels, weevils, whelks, whippets, wildebeest, wolverines,
wolves, wombats, woodcocks, woodlice, woodpeckers, wrens, yaks, zebras, zebus, acacias, aconites, agaves,
alders, aloes, amaranths, amaryllises, anemones, aspens, asters, azaleas, bamboo, banksias, baobabs, beeches,
begonias, birches, bluebells, bonsai, bougainvilleas, bracken, bromeliads, buddleias, buttercups, cacti,
calendulas, camellias, campanulas, carnations, cedars, chrysanthemums, clematis, clover, coltsfoot,
columbines, cornflowers, cowslips, crocuses, cyclamens, cypresses, daffodils, dahlias, daisies, dandelions,
delphiniums, dogwoods, duckweed, echinaceas, edelweiss, elms, eucalyptuses, ferns, forget-me-nots, forsythias,
foxgloves, frangipani, freesias, fuchsias, gardenias, gentians, geraniums, ginkgos, gladioli, gorse,
hawthorns, heather, hellebores, hemlock, hibiscus, hollyhocks, honeysuckle, hornbeams, horsetails, hostas,
hyacinths, hydrangeas, irises, ivy, jacarandas, jonquils, junipers, laburnums, larches, larkspurs, lavender,
lichens, lilacs, lilies, lobelias, lotuses, lupins, magnolias, mangroves, maples, marigolds, mimosas,
mistletoe, monkshood, mosses, mulberries, myrtles, nasturtiums, nettles, oaks, oleanders, orchids, palms,
pampas grass, pansies, passionflowers, peonies, periwinkles, petunias, phloxes, pines, pitcher plants, plane
trees, plumerias, poinsettias, poplars, poppies, primroses, privet, proteas, ranunculus, redwoods, reeds,
rhododendrons, roses, rowans, salvias, sedges, sequoias, snapdragons, snowdrops, speedwells, spruces, sundews,
sunflowers, sycamores, tamarisks, thistles, toadstools, trilliums, tulips, venus flytraps, verbenas,
viburnums, violets, weeping willows, wisterias, witch hazel, wolfsbane, yarrow, yews, yuccas, zinnias,
almonds, apple crumble, apricots, artichokes, arugula, asparagus, aubergines, avocados, bacon, bagels,
baguettes, baked alaska, baklava, bananas, bangers and mash, barley, basil, beetroot, bibimbap, biryani,
biscotti, blackberries, blackcurrants, blintzes, blue cheese, blueberries, borscht, bouillabaisse, brazil
nuts, brie, brioche, broad beans, broccoli, brownies, bruschetta, brussels sprouts, buckwheat, bulgur,
burritos, butterscotch, cabbage, calamari, calzones, camembert, candy floss, cannelloni, cannoli, cantaloupes,
capers, caramel, caraway, cardamom, cardoons, carob, carrots, cashews, cassava, cassoulet, cauliflower,
caviar, cayenne, celeriac, celery, ceviche, challah, chard, cheddar, cheesecake, cherries, chervil, chestnuts,
chickpeas, chicory, chili con carne, chives, chocolate, chorizo, chowder, churros, chutney, ciabatta,
cilantro, cinnamon, clementines, cloves, cobbler, coconuts, coleslaw, cornbread, coriander, cottage cheese,
courgettes, couscous, crackers, cranberries, crème brûlée, crêpes, croissants, croutons, crumpets, cucumbers,
cumin, cupcakes, currants, curry, custard, damsons, dates, dill, dim sum, doughnuts, dumplings, durians,
edamame, eggplants, elderberries, empanadas, enchiladas, endives, falafel, fennel, fenugreek, feta, figs, fish
and chips, flapjacks, focaccia, fondue, french fries, frittatas, fudge, garlic, gazpacho, gelato, gherkins,
ginger, gingerbread, gnocchi, goat cheese, gooseberries, gorgonzola, gouda, goulash, granola, grapefruits,
grapes, green beans, grits, gruyère, guacamole, guavas, gumbo, haggis, halloumi, halva, hash browns,
hazelnuts, hollandaise, honey, horseradish, hot dogs, hummus, ice cream, jackfruits, jambalaya, jelly beans,
jerky, kale, kebabs, ketchup, kimchi, kohlrabi, korma, kumquats, laksa, lamingtons, lasagne, leeks,
lemongrass, lemons, lentils, lettuce, lima beans, limes, linguine, liquorice, loganberries, loquats, lychees,
macadamias, macaroons, mandarins, mangoes, mangosteens, maple syrup, marjoram, marmalade, marrons,
marshmallows, marzipan, mascarpone, matzo, mayonnaise, meatballs, melons, meringues, millet, mint, miso,
molasses, moussaka, mozzarella, muesli, muffins, mushrooms, mustard, naan, nachos, nectarines, noodles,
nougat, nutmeg, oatcakes, okra, olives, omelettes, onions, orange peel, oregano, paella, pancakes, papayas,
paprika, parathas, parmesan, parsley, parsnips, passion fruit, pastrami, pavlova, peaches, peanut butter,
pears, pecans, peppercorns, pepperoni, persimmons, pesto, pho, piccalilli, pickles, pierogi, pine nuts,
pineapples, pistachios, pitta, plantains, plums, polenta, pomegranates, pomelos, popcorn, poppadoms, porridge,
potato salad, praline, pretzels, profiteroles, prosciutto, provolone, prunes, pumpkin pie, quesadillas,
quiches, quinces, quinoa, radicchio, radishes, raisins, ramen, rambutans, raspberries, ratatouille, ravioli,
redcurrants, rhubarb, ricotta, rigatoni, risotto, roquefort, rosemary, rutabagas, rye bread, saffron, sage,
salami, salsify, samosas, sashimi, satay, sauerkraut, scones, seaweed, semolina, sesame, shallots, sherbet,
shortbread, sorbet, sorghum, soufflés, sourdough, soy sauce, spaghetti, spinach, spring rolls, star anise,
stilton, strawberries, strudel, sugar snap peas, sultanas, sushi, sweet potatoes, sweetcorn, swiss rolls,
tabbouleh, tacos, tagines, tahini, tamales, tamarind, tangerines, tapas, tapenade, tapioca, tarragon, tempeh,
tempura, teriyaki, thyme, tiramisu, toffee, tofu, tomatoes, tortellini, tortillas, treacle, trifle, truffles,
turmeric, turnips, tzatziki, vanilla, venison, vermicelli, vindaloo, vinegar, waffles, walnuts, wasabi,
watercress, watermelons, yams, yoghurt, yorkshire pudding, zucchini, absinthe, ale, americanos, amontillado,
bourbon, bubble tea, buttermilk, cappuccinos, chamomile, champagne, cider, cocoa, cognac, cola, cordial,
daiquiris, eggnog, espresso, grappa, horchata, kefir, kombucha, kvass, lassi, lemonade, macchiatos, maple
water, margaritas, martinis, matcha, mead, milkshakes, mocha, mojitos, mulled wine, oolong, orangeade,
pilsner, prosecco, punch, retsina, rooibos, root beer, sake, sambuca, sangria, sarsaparilla, sherry,
smoothies, stout, tequila, tonic water, vermouth, yerba mate, abseiling, aikido, archery, badminton,
ballooning, base jumping, baseball, basketball, biathlons, billiards, bobsleigh, bodybuilding, bouldering,
bowling, boxing, bullfighting, bungee jumping, canoeing, capoeira, caving, cheerleading, cricket matches,
croquet, curling, cyclocross, darts, decathlons, discus, diving, dodgeball, dressage, equestrianism, falconry,
fencing, field hockey, figure skating, floorball, football, frisbee, futsal, gliding, golf, gymnastics,
handball, heptathlons, hiking, hurdles, hurling, javelins, jogging, judo, jujitsu, karate, kayaking, kendo,
kickboxing, korfball, krav maga, lacrosse, long jump, luge, marathons, motocross, mountaineering, netball,
orienteering, paddleboarding, padel, paintball, parachuting, paragliding, parkour, pentathlons, petanque,
pickleball, pilates, pole vaulting, polo, powerlifting, quidditch, racquetball, rafting, rallying, relay
races, rock climbing, rodeos, roller derby, rounders, rowing, rugby, sailing, scuba, shinty, shot put,
showjumping, skateboarding, skeleton sledding, ski jumping, skydiving, slacklining, slalom, snooker,
snorkeling, snowboarding, softball, speedway, spelunking, sprinting, squash courts, steeplechase, sumo,
surfing, synchronised swimming, taekwondo, tai chi, tennis, tetherball, tobogganing, trampolining, triathlons,
tug of war, unicycling, volleyball, wakeboarding, weightlifting, windsurfing, wrestling, yoga, zorbing,
backgammon, bingo, blackjack, boggle, bridge evenings, canasta, charades, checkers, chess, chinese whispers,
conkers, cribbage, crosswords, dominoes, dreidels, escape rooms, fantasy leagues, foosball, geocaching, gin
rummy, hangman, hide and seek, hopscotch, jacks, jigsaw puzzles, jenga, karaoke, logic grids, ludo, mahjong,
marbles, mastermind, nine men's morris, noughts and crosses, paper planes, patience, pinball, poker, quizzes,
reversi, riddles, roulette, rubik's cubes, scavenger hunts, scrabble, shuffleboard, skittles, solitaire,
sudoku, tangrams, tarot, tetris, tiddlywinks, tongue twisters, treasure hunts, tribond, trivia, werewolf
nights, whist, yahtzee, yo-yos, accordions, alphorns, autoharps, bagpipes, balalaikas, banjos, bassoons,
bodhráns, bongos, bouzoukis, bugles, carillons, castanets, celestas, cellos, church bells, clarinets,
clavichords, concertinas, congas, cornets, cowbells, cymbals, didgeridoos, djembes, double basses, dulcimers,
erhus, euphoniums, fiddles, flugelhorns, flutes, glockenspiels, gongs, hammond organs, harmonicas, harmoniums,
harps, harpsichords, hurdy-gurdies, kalimbas, kazoos, kettledrums, kotos, lutes, lyres, mandolins, maracas,
marimbas, mellotrons, musical saws, oboes, ocarinas, pan pipes, pianos, piccolos, player pianolas, recorders,
sackbuts, saxophones, shamisens, sitars, snare drums, sousaphones, spinets, steel pans, synthesizers, tablas,
tambourines, theremins, timpani, tin whistles, triangles, trombones, trumpets, tubas, ukuleles, vibraphones,
violas, violins, vuvuzelas, xylophones, zithers, a cappella, acid jazz, afrobeat, ambient music, anthems,
arias, ballads, barbershop quartets, baroque concertos, bebop, bhangra, big bands, blues, bluegrass, bossa
nova, calypso, cantatas, chamber music, chansons, chorales, country music, cumbia, dancehall, disco,
dixieland, doo-wop, drum and bass, dub, dubstep, electro swing, étude books, fado, fugues, funk, gamelan, glam
rock, gospel, gregorian chant, grime, grunge, heavy metal, hip hop, house parties, hymns, k-pop, klezmer,
krautrock, lullabies, madrigals, mariachi, motown, nocturnes, operas, oratorios, overtures, polkas,
psychedelia, punk, qawwali, ragas, ragtime, rap battles, reggae, requiems, rhapsodies, rock and roll,
rockabilly, salsa nights, sea shanties, serenades, ska, skiffle, sonatas, soul music, string quartets,
symphonies, techno, trance, trip hop, yodelling, zydeco, zarzuelas, ballet, barn dances, belly dancing,
bolero, breakdancing, cancan, ceilidhs, cha-cha, charleston, clog dancing, conga lines, fandango, flamenco,
folk dancing, foxtrot, galliards, gavottes, hokey cokey, hora, hula, irish jigs, jitterbug, jive, kathak,
limbo, lindy hop, line dancing, macarena, mambo, maypoles, mazurkas, merengue, minuets, morris dancing,
moonwalking, pasodoble, pirouettes, quadrilles, quickstep, reels, rumba, samba, shimmying, square dancing,
sword dances, tango, tap dancing, tarantellas, twerking, voguing, waltzes, zumba, appliqué, aquarelles,
basketry, batik, beadwork, blacksmithing, bookbinding, calligraphy, candle making, cartography, cartooning,
ceramics, charcoal sketches, cloisonné, collages, colouring books, crochet, cross-stitch, cyanotypes,
daguerreotypes, decoupage, embroidery, enamelling, engraving, etching, felting, filigree, finger painting,
flower pressing, frescoes, gilding, glassblowing, graffiti, ikebana, illumination, kintsugi, kirigami,
knitting, lacemaking, lacquerware, leatherwork, life drawing, linocuts, lithographs, macramé, marquetry,
mezzotints, miniatures, mosaics, murals, needlepoint, origami, papier-mâché, pastels, patchwork, perfumery,
photograms, pinhole cameras, pointillism, portraiture, pottery, printmaking, puppetry, pyrography, quilting,
rug hooking, scrapbooking, screen printing, scrimshaw, sculpture, sewing, silhouettes, silversmithing, soap
carving, spinning wheels, stained glass, stencils, still lifes, string art, tapestries, tatting, taxidermy,
terracotta, topiary, trompe l'oeil, upholstery, watercolours, weaving, welding, whittling, wirework,
woodturning, amateur radio, antique fairs, aquariums, astrology, astrophotography, autograph hunting,
beekeeping, birdwatching, board meetings, bonfire nights, brewing, camping, car boot sales, cloud spotting,
comic books, composting, conjuring, cosplay, crop circles, daydreaming, dog shows, doll's houses, dowsing,
drones, family trees, fan fiction, fishing, flea markets, foraging, fossil hunting, gardening, ghost stories,
hitchhiking, hypnotism, juggling, kite flying, lock picking, magic tricks, marathon reading, meditation, metal
detecting, microscopes, mime, model railways, mushroom hunting trips, numismatics, palmistry, people watching,
philately, picnics, podcasting, public speaking, pub crawls, rock balancing, sandcastles, sleepovers, snow
angels, speed dating, stand-up comedy, stargazing, storm chasing, sunbathing, tea leaves, thrift stores, time
capsules, toy soldiers, train spotting, treehouses, trekking, urban exploration, ventriloquism, volunteering,
window shopping, wine tasting, worm farms, zoo visits, agates, alabaster, alexandrites, amazonite, amber,
amethysts, ammolite, anthracite, aquamarines, aventurine, azurite, basalt, bauxite, beryl, bloodstones,
calcite, carnelian, chalcedony, chalk cliffs, chrysoprase, cinnabar, citrine, cobalt, copper, coral, cornelian
rings, diamonds, diorite, dolomite, emeralds, feldspar, flint, fluorite, gabbro, galena, garnets, geodes,
gneiss, gold leaf, granite, graphite, gypsum, haematite, jade, jasper, jet beads, kunzite, labradorite, lapis
lazuli, limestone, magnetite, malachite, marble statues, meteorites, mica, moonstones, mother of pearl,
obsidian, onyx, opals, peridots, pewter, platinum, porphyry, pumice, pyrite, quartz, rhodonite, rose
quartzite, rubies, sandstone, sapphires, sardonyx, schist, selenite, serpentine, silver, slate, soapstone,
sodalite, spinels, sunstone, tanzanite, tektites, tiger's eye, topazes, tourmaline, travertine, turquoise,
zircons, alpaca wool, angora, aprons, argyle socks, balaclavas, ballgowns, bandanas, berets, bikinis, blazers,
bloomers, blouses, bobble hats, bonnets, bootlaces, bow ties, bowler hats, braces, brocade, brooches, brogues,
calico, cardigans, cashmere, chambray, chenille, chiffon, chinos, clogs, corduroy, corsets, cravats,
crinolines, cufflinks, culottes, cummerbunds, damask, denim, dirndls, duffel coats, dungarees, earmuffs,
epaulettes, espadrilles, fedoras, fezzes, flannel, fleece, gabardine, galoshes, gaiters, gingham, harris
tweed, headscarves, hoodies, jeggings, jodhpurs, jumpsuits, kaftans, kilts, kimonos, leggings, leotards,
lingerie, loafers, lockets, mackintoshes, mantillas, mittens, moccasins, mohair, monocles, muslin, nightgowns,
organza, overalls, paisley, panama hats, parasols, parkas, pashminas, pinafores, plimsolls, polka dots,
ponchos, pyjamas, raincoats, sandals, saris, sarongs, sashes, satin, sequins, shawls, signet rings, slippers,
sneakers, sombreros, stetsons, stilettos, suede, sunglasses, suspenders, taffeta, tartan, tiaras, togas, top
hats, trench coats, trilbies, turbans, turtlenecks, tutus, tuxedos, veils, velour, velvet, viscose,
waistcoats, wedding dresses, wellingtons, woollen scarves, airships, ambulances, amphibious cars, barges,
biplanes, bullet trains, cable cars, caravans, carriages, catamarans, chariots, clippers, coracles, cruise
ships, double-decker buses, dinghies, dune buggies, electric scooters, excavators, ferries, fire engines,
forklifts, frigates, funiculars, galleons, go-karts, gondolas, gyrocopters, helicopters, hot rods,
hovercrafts, hydrofoils, icebreakers, jet skis, junks, jeeps, lifeboats, limousines, locomotives, longships,
lorries, minibuses, monorails, mopeds, motorhomes, ocean liners, outriggers, paddle steamers, penny-farthings,
pickup trucks, punts, rickshaws, roadsters, rocket ships, rowboats, schooners, seaplanes, segways, sledges,
sleeper trains, snowmobiles, speedboats, stagecoaches, station wagons, steamrollers, submarines, tandems,
tanks, taxis, tractors, trams, trawlers, tricycles, trolleybuses, tugboats, tuk-tuks, vespas, wheelbarrows,
yachts, zeppelins, abacuses, alarm clocks, altimeters, anvils, armchairs, astrolabes, barometers, bean bags,
binoculars, bookends, boomerangs, bunk beds, butter churns, candelabras, carpets, catapults, chandeliers,
chisels, chopsticks, compasses, corkscrews, cuckoo clocks, dartboards, deckchairs, doorknobs, dreamcatchers,
egg timers, fans, fountain pens, four-poster beds, garden gnomes, gavels, globes, grandfather clocks,
hammocks, hammers, hourglasses, ink wells, jack-in-the-boxes, kaleidoscopes, keyrings, ladders, lanterns, lava
lamps, letter openers, light switches, looms, magnets, magnifying glasses, matryoshka dolls, metronomes, music
boxes, nutcrackers, orreries, padlocks, paperweights, pendulums, periscopes, photo albums, piggy banks,
pillows, pipettes, pliers, pocket watches, postcards, prisms, protractors, puppets, quill pens, rocking
chairs, samovars, scissors, screwdrivers, sextants, slide rules, slinkies, sofas, spanners, spinning tops,
staplers, stethoscopes, suitcases, sundials, teapots, teddy bears, telescopes, thermometers, thimbles,
torches, toy robots, tripods, typewriters, umbrellas, vacuum flasks, vases, vinyl records, walking sticks,
water clocks, weather vanes, wind chimes, wind-up mice, zippers, abbeys, acropolises, amphitheatres,
aqueducts, arboretums, archipelagos, art deco cinemas, atolls, avenues, bandstands, barns, bathhouses,
battlements, bazaars, beaches, bell towers, bogs, bookshops, botanical parks, bungalows, cafés, canals,
canyons, casinos, castles, catacombs, cathedrals, chalets, chateaux, circuses, cloisters, coves, crypts,
deltas, deserts, drawbridges, drive-ins, dunes, escalators, estuaries, farmhouses, fjords, fortresses, forums,
fountains, galleries, gargoyles, gazebos, geysers, ghost towns, glaciers, grain silos, greenhouses, grottos,
gullies, harbours, hedge mazes, hot springs, icebergs, igloos, islands, jetties, jungles, labyrinths, lagoons,
lakes, libraries, lighthouses, lofts, log cabins, manor houses, marshes, mausoleums, meadows, mesas, mills,
minarets, moats, monasteries, monoliths, moors, mosques, motels, mud flats, museums, night clubs, oases,
obelisks, observatories, opera houses, orangeries, orchards, pagodas, palaces, pavilions, peninsulas, piers,
planetariums, plateaus, playgrounds, plazas, ponds, prairies, pyramids, quarries, ranches, rapids, ravines,
riverbanks, rock pools, rope bridges, ruins, saunas, savannahs, shipwrecks, skyscrapers, sphinxes, spires,
squares, stadiums, steppes, stone circles, suspension bridges, swamps, synagogues, taverns, temples, theatres,
tidal basins, tundra, tunnels, turrets, valleys, verandas, viaducts, vineyards, volcanoes, water parks,
waterfalls, watermills, wetlands, wharfs, wigwams, wind farms, woodlands, yurts, ziggurats, acoustics,
aerodynamics, algebra, alchemy, anatomy, anthropology, archaeology, arithmetic, artificial languages,
astronomy, bacteriology, ballistics, biochemistry, botany, calculus, chaos theory, climatology, codebreaking,
combinatorics, cosmology, criminology, cryptography, crystallography, cybernetics, dendrochronology,
dinosaurs, ecology, economics, embryology, entomology, epidemiology, epistemology, ergonomics, ethics,
etymology, evolution, folklore, forestry, fractals, game theory, genetics, geography, geology, geometry,
grammar, graph theory, heraldry, herpetology, hieroglyphs, histology, horology, hydraulics, hydrology,
ichthyology, immunology, jurisprudence, kinematics, knot theory, lepidopterology, lexicography, limnology,
linguistics, logarithms, marine biology, mechanics, metallurgy, metaphysics, meteorology, mineralogy,
mycology, mythology, nanotechnology, neuroscience, number theory, oceanography, oncology, optics, ornithology,
palaeontology, particle physics, pathology, pharmacology, philosophy, phonetics, phrenology, prime numbers,
probability, psychology, quantum computing, radioactivity, relativity, rhetoric, robotics, runes, seismology,
semantics, semiotics, set theory, sociology, statistics, superconductors, syntax, thermodynamics, topology,
toxicology, trigonometry, typography, virology, volcanology, zoology, auroras, avalanches, black holes,
blizzards, breezes, comets, constellations, corona flares, crescent moons, cyclones, dew, drizzle, dust
devils, eclipses, equinoxes, fog, frost, full moons, galaxies, gales, hail, hoarfrost, hurricanes, icicles,
leap years, lightning, mirages, mist, monsoons, morning light, nebulas, permafrost, pulsars, puddles, quasars,
rainbows, riptides, shooting stars, sleet, snowflakes, solstices, starlight, storms, sunrises, supernovas,
thunder, tidal waves, tornadoes, twilight, typhoons, whirlpools, white dwarfs, zephyrs, anagrams,
autobiographies, bestiaries, biopics, cliffhangers, comedies of manners, detective novels, diaries,
documentaries, dystopias, elegies, encyclopedias, epics, epigrams, epitaphs, essays, fables, fairy tales,
farces, film noir, graphic novels, haiku, idioms, kitchen sink dramas, limericks, manga, melodramas, memoirs,
monologues, mystery plays, nonsense verse, nursery rhymes, odes, palindromes, pantomimes, parables, parodies,
picture books, proverbs, pulp magazines, puns, rom-coms, sagas, satires, silent films, sitcoms, slapstick,
soliloquies, sonnets, space operettas, spoonerisms, spy thrillers, steampunk, tall tales, tragedies,
travelogues, utopias, vampire films, villanelles, whodunits, zombie flicks
""",
    ",",
)
